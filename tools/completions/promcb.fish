# SPDX-License-Identifier: MIT
# Completion of promcb's programs for fish: options as --help has them, and the segments and components that there are.
# It is installed under the name of each program, and completes the one that it is called.
set -l program (string replace -r '\.fish$' '' (status basename))

function __promcb_segments
    promcb-admin list 2>/dev/null | string replace -r -f '^usable\t' ''
end

function __promcb_components
    set -l words (commandline -opc)
    set -l segment
    for i in (seq (count $words))
        if string match -q -r '^(--segment|-s)$' -- $words[$i]; and test $i -lt (count $words)
            set segment --segment=$words[(math $i + 1)]
        else if string match -q -- '--segment=*' $words[$i]
            set segment $words[$i]
        end
    end
    promcb-admin list --components $segment 2>/dev/null
end

# __promcb_words N, __promcb_words_at_least N: whether so many words that are no options stand before the cursor, after the
# program.
function __promcb_words
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -eq (math $argv[1] + 1)
end

function __promcb_words_at_least
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -gt $argv[1]
end

function __promcb_after_dashes
    contains -- -- (commandline -opc)
end

# What follows the first "--", as if the line began there.
function __promcb_command_line
    set -l words (commandline -opc) (commandline -ct)
    set -l rest $words[(math (contains -i -- -- $words) + 1)..-1]
    complete -C (string join ' ' -- (string escape -- $rest[1..-2]) $rest[-1])
end

# __promcb_register PROGRAM [COMMAND]: the options that --help lists, with the values of those that have a list of them.
function __promcb_register
    set -l program $argv[1]
    set -l command $argv[2]
    set -l condition 'not __promcb_after_dashes'
    test -n "$command"; and set condition "__fish_seen_subcommand_from $command"
    # Which has a word "reset" of its own.
    test "$command" = reset; and set condition "$condition; and not __fish_seen_subcommand_from breaker"
    for line in ($program $command --help 2>/dev/null | string match -r '^ {2,6}(?:-., )?--[a-z].*')
        set -l parts (string match -r '^ {2,6}(?:-(.), )?--([a-z][a-z0-9.-]*)(\[?=\S*)?(?:  +(.*))?' -- $line)
        set -l short (string match -r '^ {2,6}-([a-zA-Z]), ' -- $line)[2]
        set -l name (string match -r -- '--([a-z][a-z0-9.-]*)' $line)[2]
        set -l text (string match -r -- '\S  +(\S.*)$' $line)[2]
        set -l given -c $program -n $condition -l $name
        test -n "$short"; and set -a given -s $short
        test -n "$text"; and set -a given -d $text
        if not string match -q -r -- "--$name\[?=" $line
            complete $given -f
            continue
        end
        switch "$program/$command/$name"
            case '*/segment'
                complete $given -r -a '(__promcb_segments)'
            case '*/match'
                complete $given -x -a '(__promcb_components)'
            case promcb-admin/info/format promcb-admin/breaker/format
                complete $given -x -a 'text json'
            case promcb-export//format
                complete $given -x -a 'text openmetrics protobuf json metrics health'
            case promcb-top//format
                complete $given -x -a 'text json'
            case promcb-top//sort
                complete $given -x -a 'trouble failed calls p99 name'
            case promcb-top//window
                complete $given -x -a '1 10 60 600 all'
            case promcb-top//color
                complete $given -x -a 'auto never always'
            case '*/compat'
                complete $given -x -a 'python none'
            case '*/classic-schema'
                complete $given -x -a '0 1 2 3'
            case '*/classic-range'
                complete $given -x -a '1us:100ms 1ms:10s 1s:1024s'
            case promcb-record//failure
                complete $given -f -a '5xx 5xx,499 000,5xx,429,499'
            case promcb-record//state
                complete $given -x -a 'closed open half_open'
            case promcb-record//log
                complete $given -x -a 'debug info warning error'
            case promcb-record//error
                complete $given -x -a 'timeout refused reset rejected invalid canceled exhausted other'
            case promcb-record//unit
                complete $given -x -a 's ms us ns'
            case promcb-sidecar//log.level
                complete $given -x -a 'debug info warn error'
            case promcb-sidecar//web.telemetry-path
                complete $given -x -a /metrics
            case promcb-admin/create/schema
                complete $given -x -a '3 4 5'
            case promcb-admin/create/window
                complete $given -x -a 'any 60 600 3600'
            case promcb-admin/create/mode
                complete $given -x -a '0600 0640 0644 0660 0664 0666'
            case '*/user' promcb-admin/create/owner
                complete $given -x -a '(__fish_complete_users)'
            case promcb-admin/create/group
                complete $given -x -a '(__fish_complete_groups)'
            case promcb-record//format
                complete $given -x -a 'lines nginx apache haproxy json ltsv statsd'
            case '*/output' '*/web.config.file' '*/map' '*/socket' promcb-top//record
                complete $given -r
            case '*'
                complete $given -x
        end
    end
end

if test $program != promcb-top
    complete -c $program -n 'not __promcb_after_dashes' -f
end
if test $program = promcb-admin
    for command in breaker create forget info list remove reset
        complete -c promcb-admin -n '__promcb_words 0' -f -a $command
        __promcb_register promcb-admin $command
    end
    complete -c promcb-admin -n '__fish_seen_subcommand_from forget reset; and not __fish_seen_subcommand_from breaker' \
        -f -a '(__promcb_components)'
    # A word, a component, and what the word takes.
    complete -c promcb-admin -n '__promcb_words 1; and __fish_seen_subcommand_from breaker' -f \
        -a 'show set force trip reset'
    complete -c promcb-admin -n '__promcb_words 2; and __fish_seen_subcommand_from breaker' -f -a '(__promcb_components)'
    complete -c promcb-admin -n '__promcb_words 3; and __fish_seen_subcommand_from force' -f \
        -a 'automatic open closed shadow'
    complete -c promcb-admin -n '__promcb_words_at_least 3; and __fish_seen_subcommand_from set' -f -a \
        '{failure_rate,slow_rate,slow,consecutive,min_calls,window,open,open_max,jitter,probes,successes,failures}='
    complete -c promcb-admin -n '__promcb_words_at_least 3; and __fish_seen_subcommand_from set' -f -a \
        '{lease,mode,version}='
else
    __promcb_register $program
end
if test $program = promcb-record
    complete -c promcb-record -n 'not __promcb_after_dashes; and __promcb_words 0' -f -a '(__promcb_components)'
    complete -c promcb-record -n __promcb_after_dashes -x -a '(__promcb_command_line)'
end
