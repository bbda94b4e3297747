// Numbers as people read them, for reports on a terminal. JSON gets plain numbers instead.
#pragma once

#include <cstdint>
#include <string>

#include "handfast/time.hpp"

namespace handfast::apps {

// Groups of three digits: "1 234 567".
std::string grouped(std::uint64_t number);
// Three significant digits: "1.23 M", "512", "9.87 k".
std::string scaled(double number);
// "850 ns", "12.3 us", "4.56 ms", "1.20 s", "75.0 s".
std::string readable(Duration time);
// "512 B", "1.50 kB", "2.34 GB": decimal, as links are measured.
std::string readable_bytes(double bytes);
// "7.07 Gbit/s".
std::string readable_bit_rate(double bits_per_second);
// A number that is exact when whole, else with two decimals: "7", "5.02"; grouped from 1000 on.
std::string ratio(double number);

}  // namespace handfast::apps
