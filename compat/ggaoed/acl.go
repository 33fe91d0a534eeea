package ggaoed

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"vbladefs/target/aoe"
)

// mostACLs is how many lists [acls] may have: a choice of ours.
const mostACLs = 4096

// resolver tells whom an item of an access list means: an address, a list that
// came earlier, or a host of ethers(5), in this order.
type resolver struct {
	earlier map[string][]aoe.MAC
	later   map[string]int  // lines of lists that have not come yet
	broken  map[string]bool // lists that were refused, which is enough to say once
	ethers  func(name string) (aoe.MAC, bool)
}

// hosts is an access list.
type hosts struct {
	p    *List
	acls resolver
}

func (v hosts) parse(raw string) (string, error) {
	if !utf8.ValidString(raw) {
		return "", errText
	}
	list, ok := items(raw)
	if !ok {
		return "", fmt.Errorf(`%w, or \, for a comma`, errEscape)
	}
	hosts, err := v.acls.members(list)
	if err != nil {
		return "", err
	}
	*v.p = List{Items: list, Hosts: hosts}
	return "", nil
}

func (v hosts) print() string { return joinItems(v.p.Items) }

// members are whom the items of a list mean, each once.
func (r resolver) members(items []string) ([]aoe.MAC, error) {
	const mostUnknown = 10 // to be told of
	var hosts []aoe.MAC
	var unknown []string
	seen, found := map[string]bool{}, map[aoe.MAC]bool{}
	for _, item := range items {
		if seen[item] {
			continue
		}
		seen[item] = true
		some, err := r.resolve(item)
		if err != nil && len(unknown) < mostUnknown {
			unknown = append(unknown, err.Error())
		}
		for _, host := range some {
			if !found[host] {
				found[host] = true
				hosts = append(hosts, host)
			}
		}
		if len(hosts) > aoe.MaxListed {
			return nil, fmt.Errorf("more than %d hosts: want at most %[1]d", aoe.MaxListed)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(unknown, "; "))
	}
	return hosts, nil
}

func (r resolver) resolve(item string) ([]aoe.MAC, error) {
	if host, err := aoe.ParseMAC(item); err == nil {
		return []aoe.MAC{host}, nil
	}
	if list, ok := r.earlier[item]; ok {
		return list, nil
	}
	if r.ethers != nil {
		if host, ok := r.ethers(item); ok {
			return []aoe.MAC{host}, nil
		}
	}
	if line, ok := r.later[item]; ok {
		return nil, fmt.Errorf("%s is a list that is not complete before line %d: want it above this one", quote(item), line)
	}
	return nil, fmt.Errorf("%s is no MAC address, no list of [acls] and no host of /etc/ethers: want one of them", quote(item))
}

// readACLs reads [acls], whose lists the resolver knows from then on.
func (p *parser) readACLs(g *group) {
	entries := g.list()
	if len(entries) > mostACLs {
		p.rep.refuse(g, entry{}, "%d lists: want at most %d", len(entries), mostACLs)
		return
	}
	for _, e := range entries {
		p.acls.later[e.key] = e.line
	}
	for _, e := range entries {
		acl := ACL{Name: e.key, Line: e.line}
		p.read(g, key{e.key, hosts{&acl.List, p.acls}}, e)
		delete(p.acls.later, e.key)
		p.acls.broken[e.key] = p.refused[e]
		p.acls.earlier[e.key] = acl.Hosts
		p.config.ACLs = append(p.config.ACLs, acl)
	}
}

// checkLists refuses a list that is there and holds nobody: without accept, anyone
// may do anything.
func (p *parser) checkLists(g *group, d Device) {
	if e := g.find("accept"); p.empty(e, d.Accept) {
		p.rep.refuse(g, e, "nobody is on this list: want at least one host; leave the key out to accept everyone")
	}
	if e := g.find("deny"); p.empty(e, d.Deny) {
		p.rep.warn(g, e, "nobody is on this list, so nobody is denied")
	}
}

func (p *parser) empty(e entry, l List) bool {
	broken := slices.ContainsFunc(l.Items, func(item string) bool { return p.acls.broken[item] })
	return e.key != "" && !p.refused[e] && len(l.Hosts) == 0 && !broken
}
