package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestKernelIsComplete(t *testing.T) {
	need(t)
	k, err := prepareKernel(t.Context(), CacheDir())
	if err != nil {
		t.Fatal(err)
	}
	after := func(name, other string) {
		if at, before := slices.Index(k.modules, name), slices.Index(k.modules, other); at < 0 || before < 0 || at < before {
			t.Errorf("%s is not loaded after %s: %v", name, other, k.modules)
		}
	}
	after("virtio_pci", "virtio_ring")
	after("virtio_net", "net_failover")
	after("net_failover", "failover")
	after("ext4", "jbd2")
	after("ext4", "crc32c_generic")
	if !slices.Contains(k.more, "raid1") || slices.Index(k.more, "md_mod") > slices.Index(k.more, "raid1") {
		t.Errorf("no raid1 after md_mod: %v", k.more)
	}
	if last := k.modules[len(k.modules)-1]; last != "aoe" {
		t.Errorf("%s is loaded last, not aoe", last)
	}
	incomplete := t.TempDir()
	if err := os.CopyFS(incomplete, os.DirFS(k.dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := openKernel(incomplete); err != nil {
		t.Errorf("a copy is refused: %v", err)
	}
	if err := os.Truncate(filepath.Join(incomplete, "ext4.ko"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := openKernel(incomplete); err == nil {
		t.Error("an empty module is taken")
	}
}

func TestModuleDependsRefusesOtherFiles(t *testing.T) {
	if _, err := moduleDepends([]byte("no ELF file")); err == nil {
		t.Error("text is taken for a module")
	}
	if _, err := (&moduleTree{}).resolve("nonesuch"); err == nil {
		t.Error("a module that is nowhere is found")
	}
}

func TestImagePayload(t *testing.T) {
	image := make([]byte, 4096)
	image[offSetupSects] = 1
	copy(image[offHeaderMagic:], "HdrS")
	image[offPayload], image[offPayloadLength] = 16, 5
	copy(image[1024+16:], "abcdefg")
	if payload, err := imagePayload(image); err != nil || string(payload) != "abcde" {
		t.Errorf("payload %q, error %v", payload, err)
	}
	if !bytes.Equal(unpackImage(image), image) {
		t.Error("an image that is not compressed with xz is not left as it is")
	}
	image[offPayload+3] = 0xff
	if _, err := imagePayload(image); err == nil {
		t.Error("a payload beyond the end is taken")
	}
}

func FuzzImagePayload(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Fuzz(func(t *testing.T, image []byte) {
		payload, err := imagePayload(image)
		if (err != nil) != (payload == nil) || len(payload) > len(image) {
			t.Fatalf("%d bytes of payload in %d, error %v", len(payload), len(image), err)
		}
	})
}
