# SPDX-License-Identifier: MIT
# Completion of vcons for fish, as vcons.bash: what a command takes is what its own --help says, names are those of the service that
# runs.

# The words before the cursor's: the command, and what says which service.
function __vcons_line
    set -l words (commandline -opc)
    set -g __vcons_scope
    set -g __vcons_command
    set -g __vcons_previous $words[-1]
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case --socket
                set i (math $i + 1)
                set -a __vcons_scope --socket $words[$i]
            case --user --system
                set -a __vcons_scope $words[$i]
            case '-*'
            case '*'
                test -n "$__vcons_command"; or set -g __vcons_command $words[$i]
        end
        set i (math $i + 1)
    end
end

function __vcons_names
    timeout 2 vcons ls $__vcons_scope 2>/dev/null | sed -n '2,$ s| .*||p'
end

function __vcons_words
    __vcons_line
    if string match -q -- '-*' (commandline -ct)
        vcons $__vcons_command --help 2>/dev/null | grep '^  -' | cut -c -23 |
            grep -o -- '--[a-z][a-z-]*'
        return
    else if test "$__vcons_previous" = --socket
        __fish_complete_path
        return
    else if test -z "$__vcons_command"
        vcons --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
        return
    end
    set -l usage (vcons $__vcons_command --help 2>/dev/null | sed -n "1s/^usage: vcons $__vcons_command //p" | sed 's/\[[^]]*\] *//g')
    echo $usage | tr '|' '\n' | awk -v c="$__vcons_command" -v p="$__vcons_previous" '
        { $0 = c " " $0; for (i = 1; i < NF; i++) if ($i == p && $(i + 1) ~ /^[a-z][a-z-]*$/) print $(i + 1) }'
    switch $usage
        case '*DOMAIN*'
            __vcons_names | sed 's|/.*||' | sort -u
        case '*NAME*' '*CONSOLE*'
            __vcons_names
    end
    switch $usage
        case '*FILE*' '*CONFIG*' '*TREE*'
            __fish_complete_path
    end
end

complete -c vcons -f -a '(__vcons_words)'
