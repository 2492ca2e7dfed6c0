# Functions for bash and sh steps; loaded before the script, POSIX only, no variable left behind
# but those that begin with _calamari_.

_calamari_sequence=0

# The tools below are found even when the script changes PATH.
_calamari_tools=$PATH:/usr/local/bin:/usr/bin:/bin

# _calamari_declare KIND CONTENT: one atomic file. The runner takes it in before it shows anything
# that is written afterwards.
_calamari_declare() {
    { _calamari_begin && printf '%s' "$2" >| "$_calamari_file" && _calamari_publish "$1"; } ||
        _calamari_lost "$1"
}

# _calamari_begin: an empty file that the runner does not look at yet.
_calamari_begin() {
    _calamari_sequence=$((_calamari_sequence + 1))
    _calamari_file=$(umask 077 && PATH=$_calamari_tools mktemp "$CALAMARI_DECLARATIONS/.XXXXXXXXXX")
}

# _calamari_publish KIND: from now on it does.
_calamari_publish() {
    PATH=$_calamari_tools mv -f -- "$_calamari_file" \
        "$CALAMARI_DECLARATIONS/$1-$_calamari_sequence-$$-${_calamari_file##*/.}"
}

# _calamari_lost KIND: a declaration that cannot be made ends the script, because what it was to
# hide would be shown. In a pipe or in $(…) an exit alone would end only that.
_calamari_lost() {
    printf 'calamari: the step could not declare a %s and ends here\n' "$1" >&2
    [ "$(PATH=$_calamari_tools; exec sh -c 'echo "$PPID"')" = "$$" ] || kill -TERM "$$"
    exit 1
}

_calamari_newline='
'

# _calamari_encode NAME: the file name of a variable (see "What a script gets" in the manual).
_calamari_encode() {
    case $1 in
        .* | *[!A-Za-z0-9_.-]*) ;;
        *) printf '%s' "$1"; return ;;
    esac
    printf '%s' "$1" | PATH=$_calamari_tools od -An -v -tx1 | PATH=$_calamari_tools tr -s ' \n' '\n\n' |
        PATH=$_calamari_tools awk '
        BEGIN {
            safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
            for (i = 1; i <= length(safe); i++) {
                c = substr(safe, i, 1)
                plain[sprintf("%02x", index(ascii(), c) + 31)] = c
            }
        }
        function ascii(   i, s) {
            s = ""
            for (i = 32; i < 127; i++) s = s sprintf("%c", i)
            return s
        }
        NF {
            first++
            if ($1 in plain) printf "%s", plain[$1]
            else if ($1 == "2e" && first > 1) printf "."
            else printf "%%%s", toupper($1)
        }'
}

# get_variable NAME: prints the value of a variable, nothing added.
_calamari_get_variable() {
    _calamari_path=$CALAMARI_VARIABLES/$(_calamari_encode "$1")
    if [ -f "$_calamari_path" ]; then
        PATH=$_calamari_tools cat -- "$_calamari_path"
    else
        printf "get_variable: there is no variable '%s'\n" "$1" >&2
        return 1
    fi
}

# set_output NAME VALUE [--sensitive]: publishes a value of this step.
_calamari_set_output() {
    if [ "$#" -lt 2 ]; then
        printf 'set_output: usage: set_output NAME VALUE [--sensitive]\n' >&2
        return 2
    fi
    case $1 in
        '' | *=* | *"<<"* | *"$_calamari_newline"*)
            printf "set_output: '%s' cannot be the name of an output\n" "$1" >&2
            return 2 ;;
    esac
    if [ "${3-}" = --sensitive ]; then
        _calamari_declare sensitive "$1$_calamari_newline$2"
    fi
    _calamari_delimiter=$(PATH=$_calamari_tools od -An -N12 -tx1 /dev/urandom |
        PATH=$_calamari_tools tr -d ' \n') || return 1
    printf '%s<<%s\n%s\n%s\n' \
        "$1" "$_calamari_delimiter" "$2" "$_calamari_delimiter" >> "$CALAMARI_OUTPUT"
}

# mask VALUE | mask - [--pass]: from now on the value appears as *** in everything this step prints.
# With - it is what comes on stdin, which --pass hands on once it is masked: token=$(… | mask - --pass)
_calamari_mask() {
    if [ "$#" -eq 1 ] && [ "$1" != - ]; then
        _calamari_declare mask "$1"
    elif [ "$#" -eq 1 ]; then
        { _calamari_begin && PATH=$_calamari_tools cat >| "$_calamari_file" &&
            _calamari_publish mask; } || _calamari_lost mask
    elif [ "$*" = "- --pass" ]; then
        _calamari_begin && _calamari_copy=$_calamari_file.copy &&
            (umask 077 && PATH=$_calamari_tools tee -- "$_calamari_copy" >| "$_calamari_file") &&
            _calamari_publish mask || _calamari_lost mask
        PATH=$_calamari_tools cat -- "$_calamari_copy" && PATH=$_calamari_tools rm -f -- "$_calamari_copy"
    else
        printf 'mask: usage: mask VALUE, one value in quotes, or mask - [--pass]\n' >&2
        _calamari_lost mask
    fi
}

# create_artifact PATH [NAME]: the file is collected when the step has ended.
_calamari_create_artifact() {
    if [ ! -f "$1" ]; then
        printf "create_artifact: there is no file '%s'\n" "$1" >&2
        return 1
    fi
    case $1 in
        /*) _calamari_path=$1 ;;
        *) _calamari_path=$PWD/$1 ;;
    esac
    _calamari_name=${2:-${1##*/}}
    _calamari_declare artifact "${_calamari_name##*/}$_calamari_newline$_calamari_path"
}

# fail_step MESSAGE: ends the step as failed.
_calamari_fail_step() {
    _calamari_declare message "fail$_calamari_newline${1:-the step failed}"
    exit 1
}

_calamari_write_warning() { _calamari_declare message "warning$_calamari_newline$*"; }
_calamari_write_verbose() { _calamari_declare message "verbose$_calamari_newline$*"; }
_calamari_write_highlight() { _calamari_declare message "highlight$_calamari_newline$*"; }

# update_progress PERCENT MESSAGE
_calamari_update_progress() {
    _calamari_percent=$1
    shift
    _calamari_declare progress "$_calamari_percent$_calamari_newline$*"
}

# What a script calls. Under `set -x` a shell prints the call itself, with its values, before
# anything of ours runs; the functions are left out of the trace.
_calamari_quiet() { _calamari_flags=$-; set +x; }
_calamari_loud() { case $_calamari_flags in *x*) set -x ;; esac; return "$1"; }
for _calamari_name in get_variable set_output mask create_artifact fail_step update_progress \
    write_warning write_verbose write_highlight; do
    eval "$_calamari_name() {
        { _calamari_quiet; } 2>/dev/null
        _calamari_$_calamari_name \"\$@\"
        { _calamari_loud \$?; } 2>/dev/null
    }"
done
