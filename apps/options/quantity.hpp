// Quantities as people write them on a command line: rates, counts, sizes, times, lists of CPUs.
// Only text to value; what a program makes of the value is its own affair. Every error is the rest
// of a sentence that begins with the option's name: it says what is wrong and what would be right.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "handfast/time.hpp"

namespace handfast::apps {

template <class T>
using Parsed = std::expected<T, std::string>;

// "250", "50k", "1.5M", each with or without "/s"; above zero.
Parsed<double> parse_rate(std::string_view text);
// "1000", "50k", "10M", "1.5G": a whole number above zero.
Parsed<std::uint64_t> parse_count(std::string_view text);
// "1G", "100M", "2.5Gbit/s", "10Mbit": bits a second, at least 1 and at most 1T.
Parsed<std::uint64_t> parse_bit_rate(std::string_view text);
// "1%", "0.01", "0.1%", "0": from 0 to 1.
Parsed<double> parse_probability(std::string_view text);
// "64", "64B", "16k", "16KiB", "1M", "1MiB": bytes, above zero, at most 1 GiB.
Parsed<std::uint32_t> parse_size(std::string_view text);
// "500ms", "10s", "2m", "1h", "250us": above zero, at most 30 days.
Parsed<Duration> parse_duration(std::string_view text);
// "0,1" or "0-3,8".
Parsed<std::vector<unsigned>> parse_cpus(std::string_view text);
// Any number of 64 bits, decimal or 0x and hexadecimal.
Parsed<std::uint64_t> parse_seed(std::string_view text);
// 1 to 65535.
Parsed<std::uint16_t> parse_port_number(std::string_view text);

}  // namespace handfast::apps
