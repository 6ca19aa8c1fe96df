package biz

// labelsFor gives every label that a finding may be replaced with, whatever stands around it.
func (d *document) labelsFor(f *finding) []string {
	all := []string{labelWord}
	switch f.typ {
	case Address:
		all = append(all, labelAddress)
	case Email, URL:
		all = append(all, labelContact)
	case Date:
		all = append(all, labelDate)
		if m := d.monthOf(f); m >= 1 && m <= 12 {
			all = append(all, seasons[m-1], "in "+seasons[m-1], "een dag in "+seasons[m-1])
		}
	case Age:
		n, _ := d.ageOf(f)
		for _, a := range ageLabels {
			if n < a.below {
				all = append(all, a.plain, a.range_, a.ad)
				break
			}
		}
	case Location:
		for _, l := range []([3]string){placeLabels[0], placeLabels[d.placeOf(f)]} {
			all = append(all, l[:]...)
		}
	case Organisation:
		all = append(all, labelName)
		k := f.kind
		if k == kindNone {
			k = kindOther
		}
		l := orgLabels[k]
		all = append(all, l[:]...)
	case Nationality:
		all = append(all, originCountry, originNoun, originAdj)
	case ProfessionRare:
		all = append(all, workNoun, workLabel)
	}
	return append(all, labelNumber)
}

func (d *document) placeOf(f *finding) int {
	if n, v := places.match(d.tok, f.a); n > 0 {
		return v
	}
	if n, _ := countries.match(d.tok, f.a); n > 0 {
		return placeAbroad
	}
	return 0
}
