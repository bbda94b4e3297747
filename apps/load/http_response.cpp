#include "apps/load/http_response.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

namespace handfast::load {
namespace {

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

bool is_named(std::string_view field, std::string_view name) {
  return std::ranges::equal(
      field, name, [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

}  // namespace

HttpResponseReader::Status HttpResponseReader::feed(Bytes bytes, std::size_t& used) {
  used = 0;
  for (const std::byte byte : bytes) {
    ++used;
    if (head_.size() == kHeadBytesMax) return Status::bad;
    head_ += static_cast<char>(byte);
    if (!head_.ends_with("\r\n\r\n")) continue;
    return read_head() ? Status::complete : Status::bad;
  }
  return Status::more;
}

// RFC 9112 section 4: HTTP-version SP status-code SP reason-phrase CRLF.
bool HttpResponseReader::read_head() {
  constexpr std::size_t kCodeAt = 9;
  constexpr std::size_t kCodeDigits = 3;
  std::string_view rest = head_;
  std::string_view line = rest.substr(0, rest.find("\r\n"));
  if (!line.starts_with("HTTP/1.") || line.size() < kCodeAt + kCodeDigits) return false;
  const auto code = number<unsigned>(line.substr(kCodeAt, kCodeDigits));
  if (line[kCodeAt - 1] != ' ' || !code) return false;
  code_ = static_cast<int>(*code);
  while (true) {
    rest.remove_prefix(line.size() + 2);
    line = rest.substr(0, rest.find("\r\n"));
    if (line.empty()) return true;
    if (!read_field(line)) return false;
  }
}

// A body in chunks is not offered: no request of ours allows one to come (it asks as HTTP/1.0).
bool HttpResponseReader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  if (is_named(line.substr(0, colon), "transfer-encoding")) return false;
  if (!is_named(line.substr(0, colon), "content-length")) return true;
  body_bytes_ = number<std::uint64_t>(value);
  return body_bytes_.has_value();
}

}  // namespace handfast::load
