package ata

// The commands, §3.3, by the names of ATA8-ACS.
const (
	OpDataSetManagement   = 0x06
	OpReadSectors         = 0x20
	OpReadSectorsExt      = 0x24 // what initiators read with
	OpReadDMAExt          = 0x25
	OpReadMultipleExt     = 0x29
	OpWriteSectors        = 0x30
	OpWriteSectorsExt     = 0x34 // what initiators write with
	OpWriteDMAExt         = 0x35
	OpWriteMultipleExt    = 0x39
	OpWriteDMAFUAExt      = 0x3d
	OpReadVerify          = 0x40
	OpReadVerifyExt       = 0x42
	OpSmart               = 0xb0
	OpReadMultiple        = 0xc4
	OpWriteMultiple       = 0xc5
	OpSetMultipleMode     = 0xc6
	OpReadDMA             = 0xc8
	OpWriteDMA            = 0xca
	OpWriteMultipleFUAExt = 0xce
	OpStandbyImmediate    = 0xe0
	OpIdleImmediate       = 0xe1
	OpStandby             = 0xe2
	OpIdle                = 0xe3
	OpCheckPowerMode      = 0xe5
	OpSleep               = 0xe6
	OpFlushCache          = 0xe7
	OpFlushCacheExt       = 0xea
	OpIdentifyDevice      = 0xec
	OpSetFeatures         = 0xef
)

// operands says what else than its code decides about a command.
type operands uint8

const (
	none     operands = iota
	sectors           // address and count
	features          // the Feature register
	smart             // the Feature register and a signature in lba1 and lba2
	multiple          // the count
	ranges            // the Feature register and the count
)

// command is one row of the command set. The zero row is a command that is
// refused.
type command struct {
	action   Action
	operands operands
	extended bool // 48-bit address
	toDevice bool // data-out: the W flag must be set, else it must be clear
	durable  bool
}

var (
	read28  = command{action: Read, operands: sectors}
	read48  = command{action: Read, operands: sectors, extended: true}
	write28 = command{action: Write, operands: sectors, toDevice: true}
	write48 = command{action: Write, operands: sectors, toDevice: true, extended: true}
	force48 = command{action: Write, operands: sectors, toDevice: true, extended: true, durable: true}
)

// commands is the command set. The DMA and MULTIPLE codes are the same as the
// plain ones here: the transport has neither. What IDENTIFY does not advertise
// is not in it: NOP, packet commands, security, and READ
// NATIVE MAX ADDRESS, which would need the host protected area.
var commands = [256]command{
	OpDataSetManagement:   {action: Trim, operands: ranges, extended: true, toDevice: true},
	OpReadSectors:         read28,
	OpReadDMA:             read28,
	OpReadMultiple:        read28,
	OpReadSectorsExt:      read48,
	OpReadDMAExt:          read48,
	OpReadMultipleExt:     read48,
	OpWriteSectors:        write28,
	OpWriteDMA:            write28,
	OpWriteMultiple:       write28,
	OpWriteSectorsExt:     write48,
	OpWriteDMAExt:         write48,
	OpWriteMultipleExt:    write48,
	OpWriteDMAFUAExt:      force48,
	OpWriteMultipleFUAExt: force48,
	OpReadVerify:          {action: Verify, operands: sectors},
	OpReadVerifyExt:       {action: Verify, operands: sectors, extended: true},
	OpSetMultipleMode:     {action: NoOperation, operands: multiple},
	OpIdentifyDevice:      {action: Identify},
	OpCheckPowerMode:      {action: CheckPower},
	OpSetFeatures:         {action: NoOperation, operands: features},
	OpSmart:               {action: NoOperation, operands: smart},

	OpFlushCache:    {action: Flush},
	OpFlushCacheExt: {action: Flush},
	// There is nothing to spin down, but a drive that is put to rest has
	// written what it was given.
	OpStandbyImmediate: {action: Flush},
	OpStandby:          {action: Flush},
	OpSleep:            {action: Flush},
	OpIdleImmediate:    {action: NoOperation},
	OpIdle:             {action: NoOperation},
}
