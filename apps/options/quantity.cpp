#include "apps/options/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

namespace handfast::apps {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kDecimalUnits[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
constexpr Unit kSizeUnits[] = {{"", 1},     {"B", 1},      {"k", 1e3},      {"K", 1e3},
                               {"kB", 1e3}, {"KB", 1e3},   {"M", 1e6},      {"MB", 1e6},
                               {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}};
constexpr Unit kTimeUnits[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},  {"s", 1e9},
                               {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};

constexpr double kSizeMax = 1024.0 * 1024 * 1024;
constexpr double kDurationMaxNs = 30.0 * 24 * 3600e9;
constexpr double kRateMax = 1e9;
constexpr double kBitRateMax = 1e12;
constexpr double kCountMax = 1e15;
constexpr unsigned kCpuMax = 4095;

// A finite number above zero followed by one of `units`.
std::optional<double> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number <= 0) return std::nullopt;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& unit : units) {
    if (unit.name == name) return number * unit.factor;
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text, int base = 10) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

std::unexpected<std::string> wrong(std::string_view text, std::string_view kind,
                                   std::string_view right) {
  return std::unexpected(fmt::format("'{}' is not {}; write {}", text, kind, right));
}

}  // namespace

Parsed<double> parse_rate(std::string_view text) {
  std::string_view number = text;
  if (number.ends_with("/s")) number.remove_suffix(2);
  const auto rate = parse_with_unit(number, kDecimalUnits);
  if (!rate || *rate > kRateMax) {
    return wrong(text, "a rate", "how many a second, above zero, like 250, 50k or 1.5M");
  }
  return *rate;
}

Parsed<std::uint64_t> parse_bit_rate(std::string_view text) {
  std::string_view number = text;
  if (number.ends_with("/s")) number.remove_suffix(2);
  if (number.ends_with("bit")) number.remove_suffix(3);
  const auto rate = parse_with_unit(number, kDecimalUnits);
  if (!rate || *rate < 1 || *rate > kBitRateMax) {
    return wrong(text, "a rate", "bits a second, at most 1000G, like 1G, 100M or 2.5Gbit/s");
  }
  return static_cast<std::uint64_t>(*rate);
}

Parsed<double> parse_probability(std::string_view text) {
  const bool is_percent = text.ends_with("%");
  const char* const end = text.data() + text.size() - (is_percent ? 1 : 0);
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (is_percent) number /= 100;
  if (error != std::errc{} || rest != end || !(number >= 0 && number <= 1)) {
    return wrong(text, "a probability", "one from 0 to 1 or from 0% to 100%, like 0.01 or 1%");
  }
  return number;
}

Parsed<std::uint64_t> parse_count(std::string_view text) {
  const auto count = parse_with_unit(text, kDecimalUnits);
  if (!count || *count > kCountMax || std::floor(*count) != *count) {
    return wrong(text, "a count", "a whole number above zero, like 1000, 50k or 10M");
  }
  return static_cast<std::uint64_t>(*count);
}

Parsed<std::uint32_t> parse_size(std::string_view text) {
  const auto size = parse_with_unit(text, kSizeUnits);
  if (!size || *size > kSizeMax || std::floor(*size) != *size) {
    return wrong(text, "a size", "bytes, above zero and at most 1 GiB, like 64, 16k or 1MiB");
  }
  return static_cast<std::uint32_t>(*size);
}

Parsed<Duration> parse_duration(std::string_view text) {
  const auto time = parse_with_unit(text, kTimeUnits);
  if (!time || *time > kDurationMaxNs || *time < 1) {
    return wrong(text, "a time", "a number above zero with its unit, like 500ms, 10s or 2m");
  }
  return Duration(static_cast<std::int64_t>(*time));
}

Parsed<std::vector<unsigned>> parse_cpus(std::string_view text) {
  const auto bad = [&] { return wrong(text, "a list of CPUs", "numbers like 0,1 or 0-3"); };
  std::vector<unsigned> cpus;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view item = text.substr(start, comma - start);
    const std::size_t dash = std::min(item.find('-'), item.size());
    const auto first = parse_whole<unsigned>(item.substr(0, dash));
    const auto last = dash == item.size() ? first : parse_whole<unsigned>(item.substr(dash + 1));
    if (!first || !last || *last < *first || *last > kCpuMax) return bad();
    for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    start = comma + 1;
  }
  return cpus;
}

Parsed<std::uint64_t> parse_seed(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x");
  const auto seed =
      parse_whole<std::uint64_t>(hexadecimal ? text.substr(2) : text, hexadecimal ? 16 : 10);
  if (!seed) return wrong(text, "a seed", "a number of at most 64 bits, like 42 or 0x2a");
  return *seed;
}

Parsed<std::uint16_t> parse_port_number(std::string_view text) {
  const auto port = parse_whole<std::uint16_t>(text);
  if (!port || *port == 0) return wrong(text, "a TCP port", "a number from 1 to 65535");
  return *port;
}

}  // namespace handfast::apps
