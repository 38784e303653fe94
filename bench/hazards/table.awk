# Reads "database, hazard, library, what was seen" and prints a table for each database.
BEGIN { FS = "\t" }

{
  if (!($1 in hazards)) databases[++count] = $1
  if (!(($1, $2) in known)) {
    known[$1, $2]
    hazard[$1, ++hazards[$1]] = $2
  }
  if (!($3 in columns)) { columns[$3]; library[++libraries] = $3 }
  seen[$1, $2, $3] = $4
}

END {
  for (i = 1; i <= count; i++) {
    printf "\n## %s\n\n|", databases[i]
    for (l = 1; l <= libraries; l++) printf " | %s", library[l]
    printf " |\n|---|"
    for (l = 1; l <= libraries; l++) printf "---|"
    print ""
    for (h = 1; h <= hazards[databases[i]]; h++) {
      name = hazard[databases[i], h]
      printf "| %s", name
      for (l = 1; l <= libraries; l++) printf " | %s", seen[databases[i], name, library[l]]
      print " |"
    }
  }
}
