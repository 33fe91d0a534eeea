package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
)

// Offsets in a bzImage: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
const (
	offSetupSects    = 0x1f1 // 1 byte: 512-byte sectors of real-mode code after the boot sector
	offHeaderMagic   = 0x202 // "HdrS"
	offPayload       = 0x248 // 4 bytes: where the compressed kernel begins, from the end of the real-mode code
	offPayloadLength = 0x24c // 4 bytes
)

// unpackImage turns a bzImage into the ELF image inside it, which QEMU boots directly (PVH). An emulated processor takes
// two seconds to unpack it at every boot. An image of another make is returned as it is: it boots too.
func unpackImage(bzImage []byte) []byte {
	payload, err := imagePayload(bzImage)
	if err != nil || !bytes.HasPrefix(payload, []byte("\xfd7zXZ\x00")) {
		return bzImage
	}
	image, err := unxz(payload)
	if err != nil || !bytes.HasPrefix(image, []byte(elf.ELFMAG)) {
		return bzImage
	}
	return image
}

// imagePayload is the compressed part of a bzImage.
func imagePayload(bzImage []byte) ([]byte, error) {
	if len(bzImage) < offPayloadLength+4 || string(bzImage[offHeaderMagic:offHeaderMagic+4]) != "HdrS" {
		return nil, fmt.Errorf("not a bzImage")
	}
	start := (int64(bzImage[offSetupSects])+1)*512 + int64(binary.LittleEndian.Uint32(bzImage[offPayload:]))
	length := int64(binary.LittleEndian.Uint32(bzImage[offPayloadLength:]))
	if start+length > int64(len(bzImage)) {
		return nil, fmt.Errorf("bzImage of %d bytes says that its payload ends at %d", len(bzImage), start+length)
	}
	return bzImage[start : start+length], nil
}

// unxz decompresses the first stream of data; a kernel has its size behind it. busybox cannot: it lacks the filter.
func unxz(data []byte) ([]byte, error) {
	var complaint bytes.Buffer
	cmd := exec.Command("xz", "--decompress", "--stdout", "--single-stream")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("xz: %w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out, nil
}

// unpackImageFile writes the bootable form of a bzImage file to another.
func unpackImageFile(from, to string) error {
	bzImage, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, unpackImage(bzImage), 0o644)
}
