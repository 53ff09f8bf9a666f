# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of tracedisk's command line for fish: subcommands, options and their
# words are taken from --help, so that there is nothing to keep in step.

function __tracedisk_subcommand
    set -l words (commandline -opc)
    echo $words[2]
end

function __tracedisk_options
    tracedisk (__tracedisk_subcommand) --help 2>/dev/null |
        string replace -rf '^  (?:-., )?(--[a-z-]+)\S*\s+(.*)$' '$1\t$2'
end

# The words that the option before the cursor takes: what its help lists behind
# the colon, or below. Of a list, "read,wr", the next one.
function __tracedisk_values
    set -l option (commandline -opc)[-1]
    set -l word (commandline -ct)
    if string match -qr '^--[a-z-]+=' -- $word
        set option (string replace -r '=.*' '' -- $word)
    end
    set -l given (string replace -rf '^(.*[,=]).*$' '$1' -- $word)
    string match -q -- '--*' $option; or return
    for value in (tracedisk (__tracedisk_subcommand) --help 2>/dev/null |
            sed -n -e "s/^  \(-., \)\?$option=.*  .*: \([a-z, ]*\)\$/\2/p" \
                -e "/^  $option=.* listed below/,\$ s/^  [a-z ]\{10\}\([a-z, -]*\)\$/\1/p" |
            string split -n , | string trim)
        echo "$given$value"
    end
end

function __tracedisk_takes_values
    test -n "$(__tracedisk_values)"
end

function __tracedisk_wants
    __fish_use_subcommand; or __tracedisk_takes_values; and return 1
    set -l kind file
    string match -q -- '-*' (commandline -ct); and set kind option
    test $kind = $argv[1]
end

complete -c tracedisk -f
complete -c tracedisk -n __fish_use_subcommand -a "(tracedisk --help |
    string replace -rf '^  ([a-z]+)  +(.*)\$' '\$1\t\$2')"
complete -c tracedisk -n 'not __fish_use_subcommand; and __tracedisk_takes_values' \
    -a '(__tracedisk_values)'
complete -c tracedisk -n '__tracedisk_wants option' -a '(__tracedisk_options)'
complete -c tracedisk -n '__tracedisk_wants file' -a '(__fish_complete_suffix .tdt)'
