#include "apps/options/readable.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace handfast::apps {
namespace {

// Three significant digits of a number from 0 to 999.
std::string three_digits(double number) {
  if (number >= 99.95) return fmt::format("{:.0f}", number);
  if (number >= 9.995) return fmt::format("{:.1f}", number);
  return fmt::format("{:.2f}", number);
}

std::string with_unit(double number, std::string_view one) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t power = 0;
  while (number >= 999.5 && power + 1 < kPrefixes.size()) {
    number /= 1000;
    ++power;
  }
  const bool whole = power == 0 && number == std::floor(number);
  const std::string digits = whole ? fmt::format("{:.0f}", number) : three_digits(number);
  if (power == 0 && one.empty()) return digits;
  return fmt::format("{} {}{}", digits, kPrefixes[power], one);
}

}  // namespace

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ' ';
    text += digits[i];
  }
  return text;
}

std::string scaled(double number) {
  return with_unit(number, "");
}

std::string readable(Duration time) {
  const double ns = static_cast<double>(time.count());
  if (ns < 999.5) return fmt::format("{} ns", time.count());
  if (ns < 999.5e3) return three_digits(ns / 1e3) + " us";
  if (ns < 999.5e6) return three_digits(ns / 1e6) + " ms";
  return three_digits(ns / 1e9) + " s";
}

std::string readable_bytes(double bytes) {
  return with_unit(bytes, "B");
}

std::string readable_bit_rate(double bits_per_second) {
  return with_unit(bits_per_second, "bit/s");
}

std::string ratio(double number) {
  if (number >= 1000) return grouped(static_cast<std::uint64_t>(number + 0.5));
  return number == std::floor(number) ? fmt::format("{:.0f}", number)
                                      : fmt::format("{:.2f}", number);
}

}  // namespace handfast::apps
