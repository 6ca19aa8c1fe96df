package biz

import "sort"

// PureRemoval reports whether the new rendition is the old one with words dropped, or replaced by one of the engine's
// own more general labels. Anything else (a word, a mark, another order, a label where nothing was dropped, a label in
// the place of another label) is an addition.
//
// Capitals and white space are not compared: dropping the first word of a sentence changes the next one's capital.
func PureRemoval(before, after string) bool {
	old, now := tokenise(valid(before)), tokenise(valid(after))
	where := make(map[string][]int, len(old))
	label := make([]bool, len(old)+1)
	for i := range old {
		where[old[i].lower] = append(where[old[i].lower], i)
	}
	for i := 0; i < len(old); {
		n := labelAt(old, i)
		if n < 2 {
			i++
			continue
		}
		for k := i; k < i+n; k++ {
			label[k] = true
		}
		i += n
	}
	// plain[p] is the first old word from p on that is not a label already.
	plain := make([]int, len(old)+1)
	plain[len(old)] = len(old)
	for p := len(old) - 1; p >= 0; p-- {
		plain[p] = p
		if label[p] || !old[p].word {
			plain[p] = plain[p+1]
		}
	}
	const never = int(^uint(0) >> 1)
	// least[j] is the smallest number of old tokens that can account for the first j new ones.
	least := make([]int, len(now)+1)
	for j := range least {
		least[j] = never
	}
	least[0] = 0
	for j := 0; j < len(now); j++ {
		p := least[j]
		if p == never {
			continue
		}
		at := where[now[j].lower]
		if k := sort.SearchInts(at, p); k < len(at) {
			least[j+1] = min(least[j+1], at[k]+1)
		}
		if n := labelAt(now, j); n > 0 {
			if q := plain[p]; q < len(old) {
				least[j+n] = min(least[j+n], q+1)
			}
		}
	}
	return least[len(now)] != never
}
