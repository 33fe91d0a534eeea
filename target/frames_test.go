package target_test

import (
	"encoding/binary"
	"testing"

	"vbladefs/target/aoe"
)

// alice is the initiator of these tests.
var alice = aoe.MAC{2, 0, 0, 0, 0, 0xa}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// frameOf makes a request of alice's to all hosts.
func frameOf(addr aoe.Addr, command aoe.Command, tag uint32, size int) []byte {
	frame := make([]byte, size)
	aoe.Header{Dst: aoe.Broadcast, Src: alice, Version: aoe.Version, Addr: addr, Command: command, Tag: tag}.Put(frame)
	return frame
}

func ataFrame(addr aoe.Addr, tag uint32, a aoe.ATA, lba int, data []byte) []byte {
	frame := append(frameOf(addr, aoe.CmdATA, tag, aoe.ATASize), data...)
	var eight [8]byte
	binary.LittleEndian.PutUint64(eight[:], uint64(lba))
	copy(a.LBA[:], eight[:])
	a.Put(frame)
	return frame
}

func readFrame(addr aoe.Addr, tag uint32, lba, sectors int) []byte {
	return ataFrame(addr, tag, aoe.ATA{Flags: aoe.ATAExtended, Count: uint8(sectors), Command: 0x24}, lba, nil)
}

func writeFrame(addr aoe.Addr, tag uint32, lba int, data []byte) []byte {
	return ataFrame(addr, tag, aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: uint8(len(data) / aoe.SectorSize), Command: 0x34}, lba, data)
}

func commandFrame(addr aoe.Addr, tag uint32, command, feature uint8) []byte {
	return ataFrame(addr, tag, aoe.ATA{Command: command, Feature: feature}, 0, nil)
}

// fromHost changes who sent a frame.
func fromHost(frame []byte, i int) []byte {
	mac := host(i)
	copy(frame[6:12], mac[:])
	return frame
}

// host is one of many hosts.
func host(i int) (mac aoe.MAC) {
	mac[0] = 2
	binary.BigEndian.PutUint32(mac[2:], uint32(i)+0x100)
	return mac
}

// replyFrame makes a config reply with which a host announces an address.
func replyFrame(src aoe.MAC, addr aoe.Addr) []byte {
	frame := make([]byte, aoe.MinFrame)
	aoe.Header{Dst: aoe.Broadcast, Src: src, Version: aoe.Version, Response: true, Addr: addr, Command: aoe.CmdConfig}.Put(frame)
	aoe.Config{Buffers: 16, Sectors: 2}.Put(frame)
	return frame
}

func queryFrame(addr aoe.Addr, tag uint32) []byte {
	return frameOf(addr, aoe.CmdConfig, tag, aoe.ConfigSize)
}
