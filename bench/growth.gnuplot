# Draws what bench/growth measured: gnuplot -e "table='FILE.csv'; picture='FILE.svg'" growth.gnuplot
set datafile separator ","
set terminal svg size 760,420 font "sans-serif,13" background rgb "white"
set output picture

set xlabel "open connections"
set logscale x 10
set xrange [600:17000000]
set xtics ("1 k" 1e3, "10 k" 1e4, "100 k" 1e5, "1 M" 1e6, "10 M" 1e7)
set ylabel "ns a connection (median, least and most)"
set yrange [0:*]
set y2label "million connections/s"
set y2range [0:*]
set ytics nomirror
set y2tics
set grid ytics lc rgb "#dddddd"
set key bottom left

plot table using "open":"ns":"ns_min":"ns_max" with yerrorlines axes x1y1 \
       lw 2 pt 7 ps 0.6 lc rgb "#1f5fa8" title "ns a connection", \
     table using "open":(column("connections_per_second") / 1e6) with linespoints axes x1y2 \
       lw 2 dt 2 pt 6 ps 0.8 lc rgb "#c05020" title "million connections/s"
