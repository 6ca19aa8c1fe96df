package authz

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// bundleFiles reads what a bundle is made of: rules, the input's schema and the
// samples. Tests of the rules and whatever else lies beside them are no part of it.
func bundleFiles(bundle fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(bundle, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rule := path.Ext(name) == ".rego" && !strings.HasSuffix(name, "_test.rego")
		sample := path.Dir(name) == samplesDir && path.Ext(name) == ".json"
		if !rule && !sample && name != schemaFile {
			return nil
		}
		files[name], err = fs.ReadFile(bundle, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("authz: read policy: %w", err)
	}
	return files, nil
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// revision hashes names and lengths too, so that no two bundles run together.
func revision(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range sortedNames(files) {
		fmt.Fprintf(h, "%d:%s%d:", len(name), name, len(files[name]))
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
