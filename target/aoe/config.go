package aoe

import "encoding/binary"

// Sizes of the Query Config argument, §4.
const (
	ConfigSize      = 32 // a frame up to its config string
	MaxConfigString = 1024
)

// ConfigCommand is the sub-command of a Query Config frame, §4.
type ConfigCommand uint8

// The config sub-commands; 5 to 15 are undefined.
const (
	ConfigRead     ConfigCommand = 0
	ConfigTest     ConfigCommand = 1 // answer if the string is equal
	ConfigPrefix   ConfigCommand = 2 // answer if the string begins so
	ConfigSet      ConfigCommand = 3 // set if empty
	ConfigForceSet ConfigCommand = 4
)

// Config is the argument of CmdConfig.
type Config struct {
	Buffers  uint16 // requests that an initiator may have outstanding
	Firmware uint16
	Sectors  uint8 // most sectors of one request; 0 means 2
	Command  ConfigCommand
	Length   int    // of the config string, as the frame states it
	String   []byte // aliases the frame; nil when Length is no honest length
}

// DecodeConfig reads the config argument of frame; the version in byte 29 is
// ignored, since initiators leave it 0. It is false when frame is shorter than
// 32 bytes. A Length over 1024 or over what the frame holds leaves String nil.
func DecodeConfig(frame []byte) (Config, bool) {
	if len(frame) < ConfigSize {
		return Config{}, false
	}
	b := frame[HeaderSize:]
	c := Config{
		Buffers:  binary.BigEndian.Uint16(b),
		Firmware: binary.BigEndian.Uint16(b[2:]),
		Sectors:  b[4],
		Command:  ConfigCommand(b[5] & 0x0f),
		Length:   int(binary.BigEndian.Uint16(b[6:])),
	}
	if c.Length <= MaxConfigString && c.Length <= len(frame)-ConfigSize {
		c.String = frame[ConfigSize : ConfigSize+c.Length : ConfigSize+c.Length]
	}
	return c, true
}

// Valid reports whether the frame really held a string of the stated length.
func (c Config) Valid() bool { return c.String != nil }

// Put writes c, with its string, at its place in frame and returns the end of
// it. Length is taken from String; frame must have room for 32 bytes and it.
func (c Config) Put(frame []byte) int {
	b := frame[HeaderSize:]
	binary.BigEndian.PutUint16(b, c.Buffers)
	binary.BigEndian.PutUint16(b[2:], c.Firmware)
	b[4] = c.Sectors
	b[5] = Version<<4 | uint8(c.Command)&0x0f
	binary.BigEndian.PutUint16(b[6:], uint16(len(c.String)))
	return ConfigSize + copy(frame[ConfigSize:], c.String)
}
