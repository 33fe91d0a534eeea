package target_test

import (
	"bytes"
	"encoding/binary"
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// reply is what the model answers for a blade, and does.
func (m *model) reply(q question, b *modelBlade, p modelPort) *modelReply {
	in := func(list target.HostList) bool { return slices.Contains(b.lists[list], q.src) }
	some := func(list target.HostList) bool { return len(b.lists[list]) > 0 }
	if in(target.DenyList) || some(target.MaskList) && !in(target.MaskList) || some(target.AcceptList) && !in(target.AcceptList) {
		return nil
	}
	reserved := some(target.ReserveList) && !in(target.ReserveList)
	switch q.command {
	case aoe.CmdConfig:
		return b.replyConfig(q)
	case aoe.CmdMaskList:
		return b.replyMasks(q)
	case aoe.CmdReserve:
		return b.replyReserve(q, reserved)
	}
	return m.replyATA(q, b, p, reserved)
}

// may asks an access list.
func (b *modelBlade) may(point target.AccessPoint, src aoe.MAC) bool {
	l := b.access[point]
	if l == nil {
		return true
	}
	for _, row := range l.Rows {
		if row.Host == src {
			return row.Accept
		}
	}
	return l.Accept
}

func (b *modelBlade) replyConfig(q question) *modelReply {
	command := aoe.ConfigCommand(q.sub)
	point := target.ReadConfig
	if command >= aoe.ConfigSet {
		point = target.StoreConfig
	}
	switch {
	case !b.may(point, q.src):
		return nil
	case command > aoe.ConfigForceSet:
		return &modelReply{code: aoe.ErrArgument}
	case command == aoe.ConfigTest && q.text != string(b.config), command == aoe.ConfigPrefix && !bytes.HasPrefix(b.config, []byte(q.text)):
		return nil
	case command == aoe.ConfigSet && len(b.config) > 0 && q.text != string(b.config):
		return &modelReply{code: aoe.ErrConfigString, content: b.config}
	case command >= aoe.ConfigSet:
		b.config = []byte(q.text)
	}
	return &modelReply{content: b.config}
}

func (b *modelBlade) replyMasks(q question) *modelReply {
	edits := aoe.MaskCommand(q.sub) != aoe.MaskRead
	switch {
	case edits && q.addr.Wildcard(), !edits && !b.may(target.ReadConfig, q.src), edits && !b.may(target.StoreConfig, q.src):
		return nil
	case aoe.MaskCommand(q.sub) > aoe.MaskEdit:
		return &modelReply{code: aoe.ErrArgument}
	}
	list := slices.Clone(b.lists[target.MaskList])
	if edits {
		at := slices.Index(list, q.hosts[0])
		if add := q.directive() == aoe.MaskAdd; add && at < 0 {
			list = append(list, q.hosts[0])
		} else if !add && at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
		b.lists[target.MaskList] = list
	}
	reply := &modelReply{}
	for _, h := range list {
		reply.content = append(append(reply.content, 0, 0), h[:]...)
	}
	return reply
}

func (b *modelBlade) replyReserve(q question, reserved bool) *modelReply {
	sets := aoe.ReserveCommand(q.sub) != aoe.ReserveRead
	switch {
	case sets && q.addr.Wildcard(), !sets && !b.may(target.ReadConfig, q.src), sets && !b.may(target.StoreConfig, q.src):
		return nil
	case aoe.ReserveCommand(q.sub) > aoe.ReserveForceSet:
		return &modelReply{code: aoe.ErrArgument}
	case aoe.ReserveCommand(q.sub) == aoe.ReserveSet && reserved:
		return &modelReply{code: aoe.ErrReserved}
	case sets:
		b.lists[target.ReserveList] = slices.Clone(q.hosts)
	}
	reply := &modelReply{}
	for _, h := range b.lists[target.ReserveList] {
		reply.content = append(reply.content, h[:]...)
	}
	return reply
}

func (m *model) replyATA(q question, b *modelBlade, p modelPort, reserved bool) *modelReply {
	const abort, outside = 0x04, 0x10
	d := m.drives[b.drive]
	point, listed := target.ReadData, true
	switch {
	case q.writes() || q.sub == 0xe7:
		point = target.WriteData
	case q.sub == 0x99:
		listed = false
	}
	most := int(p.sectors)
	if fits := aoe.Sectors(m.netifs[q.netif].mtu); most == 0 {
		most = fits
	}
	switch {
	case q.addr.Wildcard() && q.sub != 0xec, m.devices[d.path].paused:
		return nil
	case listed && !b.may(point, q.src):
		return &modelReply{failed: abort}
	case reserved && q.sub != 0xec:
		return &modelReply{code: aoe.ErrReserved}
	case q.writes() && m.readOnly(d), q.sub == 0x99:
		return &modelReply{failed: abort}
	case q.sub == 0xe7:
		return &modelReply{}
	case q.sub == 0xec:
		return &modelReply{content: binary.LittleEndian.AppendUint64(nil, m.capacity(d))}
	case uint64(q.lba+q.n) > m.capacity(d):
		return &modelReply{failed: outside}
	case q.sub == 0x42:
		return &modelReply{}
	case q.n > most:
		return &modelReply{failed: abort}
	}
	content := m.disks[d.path].content[(int(d.first)+q.lba)*aoe.SectorSize:][:q.n*aoe.SectorSize]
	if q.writes() {
		copy(content, q.data())
		return &modelReply{}
	}
	return &modelReply{content: content}
}
