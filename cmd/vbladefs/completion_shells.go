package main

import (
	"fmt"
	"strings"
)

// bashKinds are commands of bash that list the values of a kind which begin with $cur.
var bashKinds = map[string]string{
	aFile:       `compgen -f -- "$cur"`,
	aDirectory:  `compgen -d -- "$cur"`,
	aUser:       `compgen -u -- "$cur"`,
	aGroup:      `compgen -g -- "$cur"`,
	anInterface: `compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$cur"`,
}

// bashCompletion is a function and what it is for. It needs nothing but bash.
func bashCompletion(all []completed) string {
	var b strings.Builder
	linef(&b, `# bash completion of vbladefs, made by "vbladefs completion bash"
_vbladefs() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} name=${COMP_WORDS[0]##*/} first=1 list=
    COMPREPLY=()
    if [ "$name" = vbladefs ]; then
        if ((COMP_CWORD == 1)); then
            mapfile -t COMPREPLY < <(compgen -W '%s' -- "$cur")
            return
        fi
        name=${COMP_WORDS[1]} first=2
    fi
    case $name:$prev in`, strings.Join(names(all), " "))
	for _, e := range all {
		for _, o := range e.options {
			if o.values == nil && o.kind == "" {
				continue
			}
			linef(&b, "    %s:%s) mapfile -t COMPREPLY < <(%s); return ;;", e.name, o.name, bashList(o.values, o.kind))
		}
	}
	linef(&b, "    esac\n    case $cur:$name in")
	for _, e := range all {
		if len(e.options) > 0 {
			var options []string
			for _, o := range e.options {
				options = append(options, o.name)
			}
			linef(&b, "    -*:%s) list='%s' ;;", e.name, strings.Join(options, " "))
		}
	}
	linef(&b, `    esac
    if [ -n "$list" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
        return
    fi
    case $name in`)
	for _, e := range all {
		if e.words != nil {
			linef(&b, "    %s) ((COMP_CWORD > first)) || mapfile -t COMPREPLY < <(%s) ;;", e.name, bashList(e.words, ""))
		} else if e.kind != "" {
			linef(&b, "    %s) mapfile -t COMPREPLY < <(%s) ;;", e.name, bashList(nil, e.kind))
		}
	}
	linef(&b, "    esac\n}\ncomplete -o filenames -F _vbladefs vbladefs%s", ownNames(all))
	return b.String()
}

func bashList(values []string, kind string) string {
	switch {
	case values != nil:
		return fmt.Sprintf(`compgen -W '%s' -- "$cur"`, strings.Join(values, " "))
	case bashKinds[kind] != "":
		return bashKinds[kind]
	}
	return ":"
}

// ownNames are those under which daemons are started, each behind a blank.
func ownNames(all []completed) (text string) {
	for _, e := range all {
		if e.daemon {
			text += " " + e.name
		}
	}
	return text
}

var zshKinds = map[string]string{aFile: "_files", aDirectory: "_files -/", aUser: "_users", aGroup: "_groups",
	anInterface: "_net_interfaces", anyValue: " "}

// zshCompletion is a function for the system of compinit.
func zshCompletion(all []completed) string {
	var b strings.Builder
	linef(&b, "#compdef vbladefs%s\n# zsh completion of vbladefs, made by \"vbladefs completion zsh\"\n_vbladefs() {", ownNames(all))
	linef(&b, "    local name=$service\n    if [[ $name == vbladefs ]]; then\n        if ((CURRENT == 2)); then\n            local -a commands=(")
	for _, e := range all {
		linef(&b, "                '%s:%s'", e.name, plain(e.about))
	}
	linef(&b, "            )\n            _describe command commands\n            return\n        fi")
	linef(&b, "        name=$words[2]\n        shift words\n        ((CURRENT--))\n    fi\n    case $name in")
	for _, e := range all {
		linef(&b, "    %s)\n        _arguments -S \\", e.name)
		for _, o := range e.options {
			linef(&b, "            '*%s[%s]%s' \\", o.name, plain(o.about), zshValue(o))
		}
		switch {
		case e.words != nil:
			linef(&b, "            '1:word:(%s)'", strings.Join(e.words, " "))
		case e.kind != "":
			linef(&b, "            '*:%s:%s'", e.kind, zshKinds[e.kind])
		default:
			linef(&b, "            ")
		}
		linef(&b, "        ;;")
	}
	linef(&b, "    esac\n}\n_vbladefs \"$@\"")
	return b.String()
}

func zshValue(o completedOption) string {
	switch {
	case o.values != nil:
		return ":value:(" + strings.Join(o.values, " ") + ")"
	case o.kind != "":
		return ":" + o.kind + ":" + zshKinds[o.kind]
	}
	return ""
}

var fishKinds = map[string]string{aFile: "-rF", aDirectory: "-xa '(__fish_complete_directories)'", aUser: "-xa '(__fish_complete_users)'",
	aGroup: "-xa '(__fish_complete_groups)'", anInterface: "-xa '(command ls /sys/class/net)'", anyValue: "-x"}

// fishCompletion is a list of commands.
func fishCompletion(all []completed) string {
	var b strings.Builder
	linef(&b, "# fish completion of vbladefs, made by \"vbladefs completion fish\"\ncomplete -c vbladefs -f")
	for _, e := range all {
		linef(&b, "complete -c vbladefs -n __fish_use_subcommand -a %s -d '%s'", e.name, plain(e.about))
		fishCommand(&b, "vbladefs -n '__fish_seen_subcommand_from "+e.name+"'", e)
		if e.daemon {
			fishCommand(&b, e.name, e)
		}
	}
	return b.String()
}

// fishCommand lists what may follow.
func fishCommand(b *strings.Builder, where string, e completed) {
	for _, o := range e.options {
		name := "-o " + strings.TrimPrefix(o.name, "-")
		if long, ok := strings.CutPrefix(o.name, "--"); ok {
			name = "-l " + long
		} else if len(o.name) == 2 {
			name = "-s " + o.name[1:]
		}
		value := fishKinds[o.kind]
		if o.values != nil {
			value = "-xa '" + strings.Join(o.values, " ") + "'"
		}
		linef(b, "complete -c %s %s %s -d '%s'", where, name, value, plain(o.about))
	}
	switch {
	case e.words != nil:
		linef(b, "complete -c %s -fa '%s'", where, strings.Join(e.words, " "))
	case e.kind == aFile:
		linef(b, "complete -c %s -F", where)
	case e.kind != "":
		linef(b, "complete -c %s %s", where, strings.Replace(fishKinds[e.kind], "-xa", "-fa", 1))
	}
}
