#!/bin/sh
# df(1) for scripts: the file systems of the image's layout, with what lies in each now.
table=''

unit=1024 human='' posix='' typed='' inodes='' output='' only='' without='' total='' status=0
paths=''
option() {
  case $1 in
    h) human=1024 ;; H) human=1000 ;; k) unit=1024 human='' ;; m) unit=1048576 human='' ;;
    P) posix=1 ;; T) typed=1 ;; i) inodes=1 ;;
    B) case $2 in
         [0-9]*[KkMG]) number=${2%?} letter=${2#"$number"} ;;
         [0-9]*) number=$2 letter='' ;;
         *) number=1 letter=${2%"${2#?}"} ;;
       esac
       case $letter in
         K|k) unit=$((number * 1024)) ;; M) unit=$((number * 1048576)) ;;
         G) unit=$((number * 1073741824)) ;; *) unit=$number ;;
       esac ;;
    t) only=$only,$2 ;; x) without=$without,$2 ;;
  esac
}
while [ $# -gt 0 ]; do
  word=$1; shift
  case $word in
    --help|--version) exec /usr/bin/df "$word" ;;
    --human-readable) option h ;; --si) option H ;; --portability) option P ;;
    --print-type) option T ;; --inodes) option i ;; --total) total=1 ;;
    --output) output=source,fstype,itotal,iused,iavail,ipcent,size,used,avail,pcent,file,target ;;
    --output=*) output=${word#*=} ;;
    --block-size=*) option B "${word#*=}" ;; --block-size) option B "$1"; shift ;;
    --type=*) option t "${word#*=}" ;; --type) option t "$1"; shift ;;
    --exclude-type=*) option x "${word#*=}" ;; --exclude-type) option x "$1"; shift ;;
    --*) ;;
    -*) rest=${word#-}
        while [ -n "$rest" ]; do
          letter=${rest%"${rest#?}"} rest=${rest#?}
          case $letter in
            [Btx]) if [ -z "$rest" ]; then rest=$1; shift; fi; option "$letter" "$rest"; rest='' ;;
            *) option "$letter" ;;
          esac
        done ;;
    *) paths="$paths$word
" ;;
  esac
done

# size: a number of 1024 bytes as it is to be printed
size() {
  if [ -z "$human" ]; then size=$((($1 * 1024 + unit - 1) / unit)); return; fi
  bytes=$(($1 * 1024)) power=1 letter=''
  for next in K M G T; do
    [ $((bytes / power)) -ge "$human" ] || break
    power=$((power * human)) letter=$next
  done
  tenths=$(((bytes * 10 + power - 1) / power))
  if [ -z "$letter" ]; then size=$bytes
  elif [ $tenths -lt 100 ]; then size=$((tenths / 10)).$((tenths % 10))$letter
  else size=$(((bytes + power - 1) / power))$letter; fi
}
percent() {
  if [ $(($1 + $2)) -gt 0 ]; then percent=$((($1 * 100 + $1 + $2 - 1) / ($1 + $2)))%
  else percent=-; fi
}

# what lies on a file system, in 1024 bytes and as files, without those mounted in it
measure() {
  top=$1
  set -- -sx
  while IFS='|' read -r _ other _; do
    case $other in none|"$top") ;; "${top%/}"/*) set -- "$@" "--exclude=$other" ;; esac
  done <<END
$table
END
  used=$(du -k "$@" "$top" 2>/dev/null | cut -f 1)
  iused=0
  case $inodes$output in *1*|*itotal*|*iused*|*iavail*|*ipcent*)
    iused=$(du --inodes "$@" "$top" 2>/dev/null | cut -f 1) ;; esac
  used=${used:-0} iused=${iused:-0}
}

cells() {  # of one file system, in the order of the columns
  measure "$where"
  avail=$((kib > used ? kib - used : 0)) itotal=$((kib / 16))
  iavail=$((itotal > iused ? itotal - iused : 0))
  all_kib=$((all_kib + kib)) all_used=$((all_used + used)) all_avail=$((all_avail + avail))
  line "$device" "$type" "$where"
}
line() {
  line=''
  for name in $wanted; do
    case $name in
      source) size=$1 ;; fstype) size=$2 ;; target) size=$3 ;; file) size=${file:--} ;;
      size) size "$kib" ;; used) size "$used" ;; avail) size "$avail" ;;
      pcent) percent "$used" "$avail"; size=$percent ;;
      itotal) size=$itotal ;; iused) size=$iused ;; iavail) size=$iavail ;;
      ipcent) percent "$iused" "$iavail"; size=$percent ;;
    esac
    line="$line$size|"
  done
}
headings() {
  blocks=1K-blocks
  if [ -n "$human" ]; then blocks=Size
  elif [ "$unit" = 1048576 ]; then blocks=1M-blocks
  elif [ "$unit" != 1024 ]; then blocks=$unit-blocks
  elif [ -n "$posix" ]; then blocks=1024-blocks; fi
  share=Use%; [ -z "$posix" ] || share=Capacity
  free=Available; [ -z "$human" ] || free=Avail
  [ -z "$output" ] || free=Avail
  head=''
  for name in $wanted; do
    case $name in
      source) head="${head}Filesystem|" ;; fstype) head="${head}Type|" ;;
      target) head="${head}Mounted on|" ;; file) head="${head}File|" ;; size) head="$head$blocks|" ;;
      used) head="${head}Used|" ;; avail) head="$head$free|" ;; pcent) head="$head$share|" ;;
      itotal) head="${head}Inodes|" ;; iused) head="${head}IUsed|" ;;
      iavail) head="${head}IFree|" ;; ipcent) head="${head}IUse%|" ;;
      *) echo "df: option --output: field '$name' unknown" >&2; exit 1 ;;
    esac
  done
}

if [ -n "$output" ]; then wanted=$(printf '%s' "$output" | tr ',' ' ')
else
  wanted="source${typed:+ fstype} size used avail pcent target"
  [ -z "$inodes" ] || wanted="source${typed:+ fstype} itotal iused iavail ipcent target"
fi
headings
rows=$head
all_kib=0 all_used=0 all_avail=0
take() {
  case ,$without, in *",$type,"*) return ;; esac
  case $only, in ,|*",$type,"*) ;; *) return ;; esac
  cells
  rows="$rows
$line"
}
if [ -z "$paths" ]; then
  while IFS='|' read -r device where type _ _ _ _ _ kib _; do
    case $kib in 0) ;; *) [ "$where" = none ] || take ;; esac
  done <<END
$table
END
else
  while IFS= read -r file; do
    full=$(readlink -f -- "$file")
    best='' found=''
    while IFS='|' read -r device where type _ _ _ _ _ kib _; do
      [ "$where" != none ] || continue
      if [ "$file" = "$device" ]; then best=$where found="$device|$where|$type|$kib"; break; fi
      case $full/ in "${where%/}"/*)
        if [ -e "$file" ] && [ ${#where} -ge ${#best} ]; then
          best=$where found="$device|$where|$type|$kib"; fi ;;
      esac
    done <<END
$table
END
    if [ -z "$found" ]; then
      echo "df: $file: No such file or directory" >&2; status=1; continue
    fi
    IFS='|' read -r device where type kib <<END
$found
END
    take
  done <<END
${paths%?}
END
fi
if [ -n "$total" ]; then
  kib=$all_kib used=$all_used avail=$all_avail file=-
  line total - -
  rows="$rows
$line"
fi
[ "$rows" != "$head" ] || exit 1

number=0 widths=''
for name in $wanted; do
  number=$((number + 1)) width=0
  while IFS= read -r line; do
    n=1
    while [ $n -lt $number ]; do line=${line#*|} n=$((n + 1)); done
    line=${line%%|*}
    [ ${#line} -le "$width" ] || width=${#line}
  done <<END
$rows
END
  [ "$name" != source ] || [ "$width" -ge 14 ] || width=14
  widths="$widths $width"
done
while IFS= read -r line; do
  # shellcheck disable=SC2086 # one word for each column
  set -- $widths
  text=''
  for name in $wanted; do
    cell=${line%%|*} line=${line#*|}
    case $name in
      source|fstype|file) text="$text$(printf "%-${1}s " "$cell")" ;;
      target) text="$text$cell " ;;
      *) text="$text$(printf "%${1}s " "$cell")" ;;
    esac
    shift
  done
  text=${text% }
  [ -z "$output" ] || [ $number -gt 1 ] || text=${text%"${text##*[! ]}"}
  printf '%s\n' "$text"
done <<END
$rows
END
exit $status
