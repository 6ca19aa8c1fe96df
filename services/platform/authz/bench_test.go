package authz

import "testing"

func BenchmarkEvaluate(b *testing.B) {
	p := thePolicy(b)
	refused := sample(b, "case.read-shared", 0)
	refused.Resource["grant_state"] = "withdrawn"
	for name, in := range map[string]Input{
		"own case":               sample(b, "case.read", 0),
		"shared case":            sample(b, "case.read-shared", 0),
		"shared case, withdrawn": refused,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := p.Evaluate(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFilter(b *testing.B) {
	p := thePolicy(b)
	in := list(sample(b, "case.list", 0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Filter(b.Context(), in, caseColumns, 1); err != nil {
			b.Fatal(err)
		}
	}
}
