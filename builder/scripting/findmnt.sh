#!/bin/sh
# findmnt(8) for scripts: the file systems of the image's layout, where they will be mounted.
table=''

for word; do
  case $word in
    -s|--fstab|-m|--mtab|-F|--tab-file*|-x|--verify|-p|--poll*|-h|--help|-V|--version|-H)
      exec /usr/bin/findmnt "$@" ;;
  esac
done

columns=TARGET,SOURCE,FSTYPE,OPTIONS
heading=1 form=tree first='' plain='' target='' source='' point='' types='' specs=0
option() {
  case $1 in
    n) heading='' ;; r) form=raw ;; P) form=pairs ;; J) form=json ;; l) form=list ;;
    f) first=1 ;; v) plain=1 ;; D) columns=SOURCE,FSTYPE,SIZE,USED,AVAIL,USE%,TARGET ;;
    o) case $2 in +*) columns=$columns,${2#+} ;; *) columns=$2 ;; esac ;;
    T) target=$2 ;; S) source=$2 ;; M) point=$2 ;; t) types=$2 ;;
  esac
}
while [ $# -gt 0 ]; do
  word=$1; shift
  case $word in
    --noheadings) option n ;; --raw) option r ;; --pairs) option P ;; --json) option J ;;
    --list) option l ;; --first-only) option f ;; --nofsroot) option v ;; --df) option D ;;
    --output=*) option o "${word#*=}" ;; --output) option o "$1"; shift ;;
    --target=*) option T "${word#*=}" ;; --target) option T "$1"; shift ;;
    --source=*) option S "${word#*=}" ;; --source) option S "$1"; shift ;;
    --mountpoint=*) option M "${word#*=}" ;; --mountpoint) option M "$1"; shift ;;
    --types=*) option t "${word#*=}" ;; --types) option t "$1"; shift ;;
    --options|--direction|--timeout|--task) shift ;;
    --*) ;;
    -*) rest=${word#-}
        while [ -n "$rest" ]; do
          letter=${rest%"${rest#?}"} rest=${rest#?}
          case $letter in
            [oTSMtOdwN]) if [ -z "$rest" ]; then rest=$1; shift; fi
                         option "$letter" "$rest"; rest='' ;;
            *) option "$letter" ;;
          esac
        done ;;
    *) specs=$((specs + 1))
       if [ $specs = 1 ]; then spec=$word; else source=$spec spec='' point=$word; fi ;;
  esac
done
[ $specs = 1 ] || spec=''
case $point in ?*/) point=${point%/} ;; esac

cell() {
  case $1 in
    TARGET) cell=$where ;; FSTYPE) cell=$type ;; OPTIONS|VFS-OPTIONS|FS-OPTIONS) cell=$options ;;
    SOURCE) cell=$device; if [ -z "$plain" ] && [ "$top" != / ]; then cell="${device}[$top]"; fi ;;
    FSROOT) cell=$top ;; UUID) cell=$uuid ;; LABEL) cell=$label ;; PARTUUID) cell=$partuuid ;;
    PARTLABEL) cell=$partlabel ;; SIZE) cell=$((kib / 1024))M ;;
    *) cell='' ;;
  esac
}
upper() { printf '%s' "$1" | tr '[:lower:],' '[:upper:] '; }
names_device() {
  case $1 in
    UUID=*) [ "${1#*=}" = "$uuid" ] ;; LABEL=*) [ "${1#*=}" = "$label" ] ;;
    PARTUUID=*) [ "${1#*=}" = "$partuuid" ] ;; PARTLABEL=*) [ "${1#*=}" = "$partlabel" ] ;;
    */dev/disk/by-uuid/*) [ "${1##*/}" = "$uuid" ] ;;
    *) [ "$1" = "$device" ] || [ "$1" = "${device}[$top]" ] ;;
  esac
}

deepest=''
if [ -n "$target" ]; then
  target=$(readlink -f -- "$target") || exit 1
  [ -e "$target" ] || exit 1
fi
while IFS='|' read -r device where type options uuid label partuuid partlabel kib top; do
  case $target/ in "${where%/}"/*) [ ${#where} -lt ${#deepest} ] || deepest=$where ;; esac
done <<END
$table
END
wanted=$(upper "$columns") rows='' count=0
while IFS='|' read -r device where type options uuid label partuuid partlabel kib top; do
  [ "$where" != none ] || continue
  if [ -n "$target" ] && [ "$where" != "$deepest" ]; then continue; fi
  if [ -n "$point" ] && [ "$where" != "$point" ]; then continue; fi
  if [ -n "$source" ] && ! names_device "$source"; then continue; fi
  if [ -n "$spec" ] && [ "$where" != "$spec" ] && [ "$where" != "${spec%/}" ] &&
     ! names_device "$spec"; then continue; fi
  case ,$types, in ,,|*",$type,"*) ;; *) continue ;; esac
  line=''
  for name in $wanted; do cell "$name"; line="$line$cell|"; done
  rows="$rows$line
" count=$((count + 1))
  [ -z "$first" ] || break
done <<END
$table
END
[ $count -gt 0 ] || exit 1
rows=${rows%?}

head=''
for name in $wanted; do head="$head$name|"; done
case $form in
  pairs|json) heading='' ;;
  raw) ;;
  *) # the widest cell of each column
    number=0
    for name in $wanted; do
      number=$((number + 1)) width=0
      [ -z "$heading" ] || width=${#name}
      while IFS= read -r line; do
        n=1
        while [ $n -lt $number ]; do line=${line#*|} n=$((n + 1)); done
        line=${line%%|*}
        [ ${#line} -le "$width" ] || width=${#line}
      done <<END
$rows
END
      eval "width_$number=$width"
    done ;;
esac
show() {
  line=$1 number=0 text=''
  while [ -n "$line" ]; do
    number=$((number + 1)) value=${line%%|*} line=${line#*|}
    case $form in
      raw) text="$text${text:+ }$value" ;;
      *) eval "width=\$width_$number"
         # shellcheck disable=SC2154 # eval sets it
         [ -n "$line" ] || width=0
         text="$text$(printf "%-${width}s" "$value")${line:+ }" ;;
    esac
  done
  printf '%s\n' "$text"
}
pairs() {
  line=$1 text=''
  for name in $wanted; do
    value=${line%%|*} line=${line#*|}
    if [ $form = pairs ]; then text="$text${text:+ }$name=\"$value\""
    else
      key=$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]')
      if [ -n "$value" ]; then value="\"$value\""; else value=null; fi
      text="$text${text:+,}
         \"$key\": $value"
    fi
  done
  if [ $form = pairs ]; then printf '%s\n' "$text"
  else printf '%s      {%s\n      }' "$between" "$text"; fi
}
between=''
[ -z "$heading" ] || show "$head"
[ $form != json ] || printf '{\n   "filesystems": [\n'
while IFS= read -r each; do
  case $form in
    pairs|json) pairs "$each"; between=",
" ;;
    *) show "$each" ;;
  esac
done <<END
$rows
END
[ $form != json ] || printf '\n   ]\n}\n'
