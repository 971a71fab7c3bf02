package registry

import (
	"strings"
	"testing"
	"time"
)

func TestZZTime(t *testing.T) {
	for _, unit := range []string{"(", "!", "-", "${", "%{if true}", "a?", "\"", "<<A\n", "a.", "[for x in ", "}", "\\", "if(", "not", "a=1\n", "b {\n}\n", "variable \"a\" {\n"} {
		src := "variable \"a\" {\n default = " + strings.Repeat(unit, mostParsed/len(unit)-20)
		for i, text := range []string{src, src + "\n}\n", strings.Replace(src, "default = ", "default = \"", 1) + "\"\n}\n"} {
			began := time.Now()
			inspect(map[string][]byte{"main.tf": []byte(text)})
			d := time.Since(began)
			began = time.Now()
			if i == 0 {
				inspect(map[string][]byte{"x.tf.json": []byte(`{"variable":{"b":{"default":` + strings.Repeat(unit, 50_000))})
			}
			if j := time.Since(began); d > 100*time.Millisecond || j > 100*time.Millisecond {
				t.Logf("%q %d: %v json %v", unit, i, d, j)
			}
		}
	}
}
