# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of vcons for bash. What a command takes is what its own --help says; names are those of the service that runs: without
# one there are none, and nothing is started.

# _vcons_names - of consoles, by the service that the line means
_vcons_names() { timeout 2 vcons ls "${scope[@]}" 2>/dev/null | sed -n '2,$ s| .*||p'; }

# _vcons_arguments USAGE PREVIOUS - what may follow that word in a command of that usage
_vcons_arguments() {
    tr '|' '\n' <<<"$1" | awk -v c="$command" -v p="$2" '
        { $0 = c " " $0; for (i = 1; i < NF; i++) if ($i == p && $(i + 1) ~ /^[a-z][a-z-]*$/) print $(i + 1) }'
    case $1 in
    *DOMAIN*) _vcons_names | sed 's|/.*||' | sort -u ;;
    *NAME* | *CONSOLE*) _vcons_names ;;
    esac
}

# _vcons_options - of vcons, or of the command
_vcons_options() {
    vcons ${command:+"$command"} --help 2>/dev/null | grep '^  -' | cut -c -23 |
        grep -o -- '--[a-z][a-z-]*'
}

_vcons() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' usage='' words i
    local scope=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) scope+=(--socket "${COMP_WORDS[++i]}") ;;
        --user | --system) scope+=("${COMP_WORDS[i]}") ;;
        -*) ;;
        *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done
    if [[ $current == -* ]]; then
        words=$(_vcons_options)
    elif [ "$previous" = --socket ]; then
        words=
        compopt -o default
    elif [ -z "$command" ]; then
        words=$(vcons --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
    else
        usage=$(vcons "$command" --help 2>/dev/null | sed -n "1s/^usage: vcons $command //p" | sed 's/\[[^]]*\] *//g')
        words=$(_vcons_arguments "$usage" "$previous")
        case $usage in *FILE* | *CONFIG* | *TREE*) compopt -o default ;; esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _vcons vcons
