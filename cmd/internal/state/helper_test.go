package state

import "os"

// contents is what is saved at path, without the seal.
func contents(path string) ([]byte, error) {
	file, err := os.ReadFile(path)
	text, _ := unseal(file)
	return text, err
}
