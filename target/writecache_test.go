package target_test

import (
	"errors"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// cacheRig is an export whose transfers are held back.
type cacheRig struct {
	targettest.Faults
	t   *testing.T
	tag uint32
}

func newCacheRig(t *testing.T) *cacheRig {
	r := &cacheRig{Faults: serving(t), t: t}
	r.Machine().SetMode(targettest.Held)
	return r
}

// set sends SET FEATURES; its flush, if it has one, is pending afterwards.
func (r *cacheRig) set(feature uint8) {
	r.tag++
	answers(r, "eth0", commandFrame(blade, r.tag, 0xef, feature))
}

func (r *cacheRig) write() {
	r.tag++
	answers(r, "eth0", writeFrame(blade, r.tag, 0, make([]byte, 512)))
}

// finish ends the oldest transfer that is pending, with err.
func (r *cacheRig) finish(want string, err error) {
	r.t.Helper()
	pending := r.Machine().Pending()
	if len(pending) == 0 || pending[0].String() != want {
		r.t.Fatalf("pending: %v, want %s first", pending, want)
	}
	pending[0].Finish(err)
	r.Collect("eth0", 1)
}

// tells checks bit 5 of IDENTIFY's words 82 and 85.
func (r *cacheRig) tells(volatile bool, when string) {
	r.t.Helper()
	r.tag++
	replies := answers(r, "eth0", commandFrame(blade, r.tag, 0xec, 0))
	if len(replies) != 1 || len(replies[0]) != aoe.ATASize+aoe.SectorSize {
		r.t.Fatalf("IDENTIFY has %d replies", len(replies))
	}
	data := replies[0][aoe.ATASize:]
	if got := data[85*2]&0x20 != 0; got != volatile || data[82*2]&0x20 == 0 {
		r.t.Errorf("%s: IDENTIFY words 82 and 85 are %#02x, %#02x; want a volatile cache: %v", when, data[82*2], data[85*2], volatile)
	}
}

// IDENTIFY says that the cache is off only when nothing that was answered can be
// lost: not while the flush that SET FEATURES 0x82 began is under way.
func TestIdentifyTellsOfTheCacheUntilItIsFlushed(t *testing.T) {
	r := newCacheRig(t)
	r.write()
	r.finish("write 0+1", nil)
	r.tells(true, "after a volatile write")
	r.set(0x82)
	r.tells(true, "before the flush")
	r.finish("flush", nil)
	r.tells(false, "after the flush")
	r.set(0x82)
	r.tells(false, "off once more")
	r.finish("flush", errors.New("medium error"))
	r.tells(false, "off once more, which failed")
	r.set(0x02)
	r.tells(true, "on again")
	r.set(0x82)
	r.finish("flush", errors.New("medium error"))
	r.tells(true, "a flush that failed")
	r.write()
	r.finish("write-durable 0+1", nil)
	r.set(0x82)
	r.finish("flush", nil)
	r.tells(false, "the flush made up for")
}

// A flush begun before the cache was on for a while says nothing of what came
// then.
func TestIdentifyTellsOfTheLatestFlush(t *testing.T) {
	r := newCacheRig(t)
	r.set(0x82)
	r.set(0x02)
	r.write()
	r.set(0x82)
	r.finish("flush", nil)
	r.finish("write 0+1", nil)
	r.tells(true, "after a volatile write, before its flush")
	r.finish("flush", nil)
	r.tells(false, "after it")
}

// A policy that is not durable is told before the first write under it.
func TestIdentifyTellsOfTheCacheWhilePolicyChanges(t *testing.T) {
	for _, first := range []target.Cache{target.CacheDurable, target.CacheDirect} {
		r := newCacheRig(t)
		must(t, r.Target().Do(target.SetCache{Drive: "d", Cache: first}))
		r.tells(first != target.CacheDurable, "as set")
		told := make(chan struct{})
		r.Machine().WhenFlushed(func() {
			defer close(told)
			r.tells(true, "while the policy changes")
		})
		second := map[target.Cache]target.Cache{target.CacheDurable: target.CacheWriteback, target.CacheDirect: target.CacheDurable}[first]
		must(t, r.Target().Do(target.SetCache{Drive: "d", Cache: second}))
		<-told
		r.tells(second != target.CacheDurable, "as set again")
	}
}

// What was promised with SET FEATURES holds for a store that takes the place of
// another, and IDENTIFY says so.
func TestIdentifyTellsOfTheCacheAfterRebind(t *testing.T) {
	r := newCacheRig(t)
	r.Machine().AddMedium("/disks/next", 2000, false)
	r.set(0x82)
	r.finish("flush", nil)
	must(t, r.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}))
	r.tells(false, "the next store")
	r.write()
	r.finish("write-durable 0+1", nil)
}
