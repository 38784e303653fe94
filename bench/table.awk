# Reads "database, operation, tasks, side, operations a second, CPU, server's CPU" and prints the medians over the slices.
# A ratio is the median of the ratios of slices that were measured one after the other, so that what disturbed both
# disturbs it little.
BEGIN { FS = "\t" }

function sorted(list, into,   n, i, j, x) { # as numbers; returns how many
  n = split(list, into, " ")
  for (i = 2; i <= n; i++) {
    x = into[i] + 0
    for (j = i - 1; j > 0 && into[j] + 0 > x; j--) into[j + 1] = into[j]
    into[j + 1] = x
  }
  return n
}
function median(list,   v, n) {
  n = sorted(list, v)
  return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function spread(list, format,   v, n) {
  n = sorted(list, v)
  return sprintf(format " - " format, v[1], v[n])
}
function ratio(list, with,   a, b, n, i, ratios) {
  n = split(list, a, " ")
  split(with, b, " ")
  for (i = 1; i <= n; i++) {
    if (b[i] + 0 == 0) return ""
    ratios = ratios " " a[i] / b[i]
  }
  return sprintf("%.2f", median(ratios))
}

{
  key = $1 FS $2 FS $3 FS $4
  if (!(key in rate)) keys[++count] = key
  rate[key] = rate[key] " " $5
  cpu[key] = cpu[key] " " $6
  server[key] = server[key] " " $7
}

END {
  print "| | tasks | | operations/s | spread | ratio | CPU µs/operation | spread | ratio | server's CPU | ratio |"
  print "|---|---|---|---|---|---|---|---|---|---|---|"
  for (i = 1; i <= count; i++) {
    split(keys[i], k, FS)
    with = k[1] FS k[2] FS k[3] FS base
    printf "| %s, %s | %s | %s | %.0f | %s | %s | %.1f | %s | %s | %.1f | %s |\n", k[1], k[2], k[3], k[4],
      median(rate[keys[i]]), spread(rate[keys[i]], "%.0f"), ratio(rate[keys[i]], rate[with]),
      median(cpu[keys[i]]), spread(cpu[keys[i]], "%.1f"), ratio(cpu[keys[i]], cpu[with]),
      median(server[keys[i]]), ratio(server[keys[i]], server[with])
  }
}
