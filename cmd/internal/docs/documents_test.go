package docs

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ranElsewhere are the documents whose code no session here can run, with the file of the test that runs or holds it; "" where it
// is drawings.
var ranElsewhere = map[string]string{
	"docs/architecture.md": "",
	"docs/install.md":      "scripts/packaging/document_test.go",
	"docs/performance.md":  "scripts/bench/document_test.go",
}

// addresses are those that the guides' examples leave exported.
var addresses = map[string][]string{
	"docs/guides/boot.md":                  {"e0.1", "e0.2"},
	"docs/guides/migrate-aoeserver.md":     {"e0.1"},
	"docs/guides/migrate-ggaoed.md":        {"e1.0"},
	"docs/guides/migrate-kvblade.md":       {"e0.0"},
	"docs/guides/migrate-qaoed.md":         {"e2.0", "e2.1"},
	"docs/guides/migrate-vblade.md":        {"e0.3", "e1.1", "e3.7"},
	"docs/guides/migrate-vblade-kernel.md": {"e0.2"},
	"docs/guides/multipath.md":             {"e0.1", "e0.3", "e1.1", "e1.2"},
	"docs/guides/troubleshooting.md":       {"e0.1"},
}

// notRun are the commands in the documents that no test runs as they stand, with the reason.
var notRun = map[string]string{
	"busybox udhcpd -f udhcpd.conf": "TestBoot in scripts/interop runs it with that file",
	"dnsmasq -C dnsmasq.conf":       "a DHCP server for good; its file is checked by the line before",
	"dhcpd -cf dhcpd.conf eth0":     "a DHCP server for good; its file is checked by the line before",
	"modprobe aoe":                  "scripts/vm loads it into the guest of scripts/interop",
	"aoe-discover":                  "scripts/interop runs it in its guest",
	"aoe-stat":                      "scripts/interop runs it in its guest",
	"umount /mnt":                   "scripts/interop runs it in its guest",
	"aoe-revalidate e0.1":           "scripts/interop runs it in its guest",
	"ip link set eth0 up":           "of a client machine",
	"dmesg | grep aoe":              "of a client machine",
	"mkfs.ext4 /dev/md0":            "TestRAID in scripts/interop runs it in its guest",
	"SIZE=8G scripts/diskless/debian.sh disk.img e0.1 --include=openssh-server,ifupdown": "TestBootDebian in scripts/interop runs it with other packages",
	"cat /proc/mdstat":                         "of a client machine",
	"aoe-revalidate e2.1":                      "TestRAID in scripts/interop runs it in its guest",
	"mdadm --wait /dev/md0":                    "TestRAID in scripts/interop waits by the files of sysfs",
	"mdadm /dev/md0 --remove /dev/etherd/e2.1": "TestRAID in scripts/interop runs it in its guest",
	"mdadm /dev/md0 --re-add /dev/etherd/e2.1": "TestRAID in scripts/interop runs it in its guest",
	"modprobe aoe aoe_deadsecs=20":             "an option of the client's driver",
	`modprobe aoe aoe_iflist="eth0 eth1"`:      "an option of the client's driver",
	"mdadm --create /dev/md0 --level=1 --raid-devices=2 --bitmap=internal /dev/etherd/e1.1 /dev/etherd/e2.1": "TestRAID in scripts/interop runs it in its guest",
	"cat /sys/kernel/debug/aoe/e0.1": "of a client machine",
	"kvstat":                         "of a kernel with kvblade",
	"cp -r /sys/kvblade /root/kvblade.before": "of a kernel with kvblade",
	"rmmod kvblade": "of a kernel with kvblade",
	"cp /proc/aoeserver /root/aoeserver.before": "of a kernel with aoeserver",
	"rmmod aoeserver":           "of a kernel with aoeserver",
	"rmmod vb":                  "of a kernel with vblade-kernel",
	"systemctl stop vblade@one": "Debian's unit, of a machine with systemd",
	"systemctl enable --now vbladefs-vblade@one":                           "scripts/packaging runs it on a fresh Debian",
	"vbladefs serve -user vbladefs -state /var/lib/vbladefs /run/vbladefs": "TestUser in cmd/vbladefs does it as another user",
	"install -d -o vbladefs -m 700 /var/lib/vbladefs":                      "there may be no user of this name",
	"install -d /run/vbladefs":                                             "the session has its own",
	"kill $(pidof ggaoed)":                                                 "of the original; that of ours is run",
	"ggaoed -c /etc/ggaoed.conf":                                           "the line before is of the original; with another path it is run",
	"qdctl show targets":                                                   "of the original; that of ours is run",
	"kill $(pidof qaoed)":                                                  "of the original",
	"qaoed -c /etc/qaoed.conf":                                             "the line before is of the original; with another path it is run",
}

// elsewhereBlocks takes the blocks out of a document that begin with "# on": on another machine, or with another target. What they
// have is in notRun.
func elsewhereBlocks(name, text string) (rest string, taken []command) {
	lines := strings.Split(text, "\n")
	var there []string
	inside := false
	for i, line := range lines {
		begins := regexp.MustCompile(`^ {4,}# on `).MatchString(line)
		inside = begins || inside && strings.HasPrefix(line, "    ")
		there = append(there, "")
		if inside {
			lines[i] = ""
			if !begins {
				there[i] = line
			}
		}
	}
	return strings.Join(lines, "\n"), blocks(name, strings.Join(there, "\n"))
}

// fence is a block between ``` and ```: output, or a file.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)$.*?^```$")

// drawing is a block with lines of boxes and arrows.
var drawing = regexp.MustCompile(`(?m)(^    .*\n)*^    .*[─▶◀└].*\n(^    .*\n)*`)

// commandsOnly blanks what is no command. Commands are indented, so a fence may not be one of a shell.
func commandsOnly(t *testing.T, name, text string) string {
	t.Helper()
	for _, language := range []string{"sh", "bash", "shell", "console"} {
		if strings.Contains(text, "\n```"+language+"\n") {
			t.Errorf("%s: commands are indented by four, not fenced, so that they are run", name)
		}
	}
	text = fence.ReplaceAllStringFunc(text, func(found string) string { return strings.Repeat("\n", strings.Count(found, "\n")) })
	return drawing.ReplaceAllStringFunc(text, func(found string) string {
		commands := regexp.MustCompile(`(?m)^    [a-z].*  #.*\n`).FindAllString(found, -1) // none, or the drawing hides them
		for _, c := range commands {
			t.Errorf("%s: %q is in a drawing", name, c)
		}
		return strings.Repeat("\n", strings.Count(found, "\n"))
	})
}

// plain is a command without its comment and the blanks around it.
func plain(text string) string {
	return strings.TrimSpace(regexp.MustCompile(`\s#.*`).ReplaceAllString(text, ""))
}

// documents are those of docs/ and below, but README.md, that have code.
func documents(t *testing.T) (names []string) {
	t.Helper()
	for _, name := range tracked(t) {
		if strings.HasPrefix(name, "docs/") && strings.HasSuffix(name, ".md") && regexp.MustCompile(`(?m)^    \S`).MatchString(read(t, name)) {
			names = append(names, name)
		}
	}
	return names
}

// TestDocuments runs the examples of every document, in a session of its own: the tables' first, then the blocks. What it cannot run
// is in ranElsewhere or notRun.
func TestDocuments(t *testing.T) {
	unused, run := maps.Clone(notRun), 0
	for _, name := range documents(t) {
		where, ok := ranElsewhere[name]
		if ok {
			if where != "" && !strings.Contains(read(t, where), filepath.Base(name)) {
				t.Errorf("%s does not name %s", where, name)
			}
			continue
		}
		run--
		t.Run(strings.TrimPrefix(name, "docs/"), func(t *testing.T) { run++; runDocument(t, name, unused) })
	}
	for text := range unused {
		if run < 0 { // -run left some out
			break
		}
		t.Errorf("no document has %q any more", text)
	}
}

func runDocument(t *testing.T, name string, unused map[string]string) {
	t.Helper()
	rest, taken := elsewhereBlocks(name, commandsOnly(t, name, read(t, name)))
	var run []command
	for _, c := range append(blocks(name, rest), taken...) {
		text := plain(c.text)
		switch program, _, _ := strings.Cut(text, " "); {
		case notRun[text] != "":
			delete(unused, text)
		case slices.Contains(taken, c):
			t.Errorf("%s: %q is neither run nor in notRun", c.at, text)
		case ofDevelopers(text):
			holds(t, c)
		case isChecker(text) && !installed(program):
			t.Logf("%s: not run, without the program: %s", c.at, text)
		default:
			run = append(run, c)
		}
	}
	tables, sentences := spans(name, rest)
	if len(tables) > 0 {
		s := newSession(t)
		s.serve()
		s.run(tables)
	}
	if all := append(here(t, run), sentences...); len(all) > 0 {
		s := newSession(t)
		s.run(all)
		s.exported(addresses[name]...)
	}
}

// isChecker tells the commands that look at files of programs which are not in scripts/setup.sh.
func isChecker(text string) bool {
	return strings.HasPrefix(text, "dnsmasq --test ") || strings.HasPrefix(text, "dhcpd -t ")
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// TestBootGuide: the file for udhcpd in the guide is the one by which TestBoot boots.
func TestBootGuide(t *testing.T) {
	_, conf, _ := strings.Cut(read(t, "docs/guides/boot.md"), "cat > udhcpd.conf << EOF\n")
	conf, _, ok := strings.Cut(conf, "    EOF\n")
	if !ok {
		t.Fatal("the guide has no udhcpd.conf")
	}
	test := read(t, "scripts/interop/boot_test.go")
	for line := range strings.Lines(conf) {
		line = strings.TrimSpace(line)
		if found := strings.TrimSuffix(line, "aoe:e0.1"); !strings.Contains(test, found) || found != line && !strings.Contains(test, `"aoe:e0.1"`) {
			t.Errorf("TestBoot has no %q", line)
		}
	}
}

// TestIndex: docs/README.md lists every document, and every manual.
func TestIndex(t *testing.T) {
	index := read(t, "docs/README.md")
	for _, name := range tracked(t) {
		folder, file := filepath.Split(name)
		if !strings.HasPrefix(folder, "docs/") || file == "README.md" || strings.HasSuffix(file, ".svg") || strings.HasPrefix(folder, "docs/prometheus/") {
			continue
		}
		if link := strings.TrimPrefix(name, "docs/"); !strings.Contains(index, "]("+link+")") {
			t.Errorf("docs/README.md has no link to %s", link)
		}
	}
}
