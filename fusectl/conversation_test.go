package fusectl

import (
	"flag"
	"path/filepath"
	"testing"

	"vbladefs/fusectl/conversation"
)

var update = flag.Bool("update", false, "write what the tree answers to the conversation files")

// TestConversations holds the corpora of the dialects and of our own files, each
// file with a tree of its own.
func TestConversations(t *testing.T) {
	needFUSE(t)
	files, err := filepath.Glob("../compat/*/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	ours, err := filepath.Glob("../fusectl/testdata/*.txt")
	if err != nil || len(ours) == 0 {
		t.Fatalf("no conversations of our own: %v", err)
	}
	files = append(files, ours...)
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(file)))+"/"+filepath.Base(file), func(t *testing.T) {
			conversation.Run(t, mounted(t).dir, file, *update)
		})
	}
}
