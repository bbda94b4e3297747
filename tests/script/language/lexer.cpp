#include "tests/script/language/lexer.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace handfast::script {
namespace {

constexpr std::string_view kBlank = " \t\r";

// A range's ">=5" begins with the mark that ends options: it does so where a digit or "=" follows.
bool is_mark(std::string_view line, std::size_t at) {
  if (line[at] == ',') return true;
  if (line[at] != '<' && line[at] != '>') return false;
  if (line[at] == '>' && at > 0 && line[at - 1] == '-') return false;  // "->"
  return at + 1 == line.size() || line[at + 1] != '=';
}

std::size_t end_of_word(std::string_view line, std::size_t from) {
  std::size_t end = from;
  while (end < line.size() && kBlank.find(line[end]) == std::string_view::npos &&
         line[end] != '#' && !is_mark(line, end)) {
    ++end;
  }
  return end;
}

}  // namespace

Parsed<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(kBlank, at)) != std::string_view::npos && line[at] != '#') {
    if (line[at] == '"') {
      const std::size_t end = line.find('"', at + 1);
      if (end == std::string_view::npos) return std::unexpected("the quoted text has no end: \"");
      words.emplace_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    } else if (is_mark(line, at)) {
      words.emplace_back(line.substr(at++, 1));
    } else {
      const std::size_t end = end_of_word(line, at);
      words.emplace_back(line.substr(at, end - at));
      at = end;
    }
  }
  return words;
}

Parsed<std::int64_t> parse_number(std::string_view word) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) {
    return std::unexpected(fmt::format("'{}' is no number: write one as 1460", word));
  }
  return value;
}

Parsed<Duration> parse_duration(std::string_view word) {
  using namespace std::chrono;
  static constexpr std::array<std::pair<std::string_view, Duration>, 5> kUnits = {
      {{"us", 1us}, {"ms", 1ms}, {"min", 1min}, {"s", 1s}, {"h", 1h}}};
  for (const auto& [unit, length] : kUnits) {
    if (!word.ends_with(unit)) continue;
    const auto count = parse_number(word.substr(0, word.size() - unit.size()));
    if (count && *count >= 0) return length * *count;
  }
  return std::unexpected(
      fmt::format("'{}' is no time: write one as 0s, 20us, 40ms, 3s, 2min or 2h", word));
}

Parsed<Within> parse_within(std::string_view word) {
  const std::size_t dots = word.find("..");
  if (dots == std::string_view::npos) {
    return std::unexpected(fmt::format("'{}' is no span of time: write one as 30ms..50ms", word));
  }
  const auto low = parse_duration(word.substr(0, dots));
  const auto high = parse_duration(word.substr(dots + 2));
  if (!low) return std::unexpected(low.error());
  if (!high) return std::unexpected(high.error());
  if (*high < *low) return std::unexpected(fmt::format("'{}' ends before it begins", word));
  return Within{.low = *low, .high = *high};
}

Parsed<Range> parse_range(std::string_view word) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (word == "*") return Range{.low = -kMax, .high = kMax};
  const std::size_t dots = word.find("..");
  const bool is_span = dots != std::string_view::npos;
  const bool is_least = word.starts_with(">=");
  const bool is_most = word.starts_with("<=");
  const auto low = parse_number(is_span               ? word.substr(0, dots)
                                : is_least || is_most ? word.substr(2)
                                                      : word);
  const auto high = is_span ? parse_number(word.substr(dots + 2)) : low;
  if (!low || !high) {
    return std::unexpected(
        fmt::format("'{}' is neither a number nor a range: write 5, *, >=5, <=5 or 3..5", word));
  }
  if (is_least) return Range{.low = *low, .high = kMax};
  if (is_most) return Range{.low = -kMax, .high = *low};
  return Range{.low = *low, .high = *high};
}

Parsed<std::vector<std::uint8_t>> parse_hex(std::string_view word) {
  std::vector<std::uint8_t> bytes(word.size() / 2);
  bool is_good = word.size() % 2 == 0 && !word.empty();
  for (std::size_t i = 0; is_good && i < bytes.size(); ++i) {
    const char* const at = word.data() + 2 * i;
    is_good = std::from_chars(at, at + 2, bytes[i], 16).ptr == at + 2;
  }
  if (!is_good) {
    return std::unexpected(fmt::format("'{}' are no bytes: write them as 01a0ff", word));
  }
  return bytes;
}

Parsed<bool> parse_switch(std::string_view word) {
  if (word == "on" || word == "off") return word == "on";
  return std::unexpected(fmt::format("'{}' is neither on nor off", word));
}

}  // namespace handfast::script
