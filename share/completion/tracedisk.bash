# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of tracedisk's command line for bash: subcommands, options and their
# words are taken from --help, so that there is nothing to keep in step.

# The words that an option takes: what its help lists behind the colon, or below.
_tracedisk_values() {
    "$1" "$2" --help 2>/dev/null |
        sed -n -e "s/^  \(-., \)\?$3=.*  .*: \([a-z, ]*\)\$/\2/p" \
            -e "/^  $3=.* listed below/,\$ s/^  [a-z ]\{10\}\([a-z, -]*\)\$/\1/p" |
        tr -d ' ' | tr ',' '\n'
}

_tracedisk_options() {
    "$1" "$2" --help 2>/dev/null | sed -n 's/^  \(-., \)\?\(--[a-z-]*\).*/\2/p'
}

# Traces and folders; any file where there is none.
_tracedisk_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -X '!*.tdt' -- "$1"; compgen -d -- "$1")
    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_tracedisk() {
    local command=${COMP_WORDS[0]} sub=${COMP_WORDS[1]:-} word=${COMP_WORDS[COMP_CWORD]}
    local option=${COMP_WORDS[COMP_CWORD - 1]} values given

    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "--help --version $("$command" --help |
            sed -n 's/^  \([a-z]*\)  .*/\1/p')" -- "$word")
        return
    fi
    # "=" is a word of its own: --op = re
    if [ "$word" = = ]; then
        word=
    elif [ "$option" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$sub" = run ] && [ "$option" = -- ]; then
        mapfile -t COMPREPLY < <(compgen -c -- "${word:-qemu-system-}")
        return
    fi
    if [[ $option == --* ]]; then
        values=$(_tracedisk_values "$command" "$sub" "$option")
        if [ -n "$values" ]; then
            # of a list, "read,wr", the last
            given=${word%"${word##*,}"}
            mapfile -t COMPREPLY < <(compgen -P "$given" -W "$values" -- "${word##*,}")
            return
        fi
    fi
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_tracedisk_options "$command" "$sub")" -- "$word")
    else
        _tracedisk_files "$word"
    fi
}

complete -F _tracedisk tracedisk
