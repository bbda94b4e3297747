#include "apps/serve/http_request.hpp"

#include <algorithm>
#include <charconv>

namespace handfast::serve {
namespace {

constexpr std::uint64_t kBodyBytesMax = std::uint64_t{1} << 40;

// RFC 9110 section 5.6.2.
bool is_token(char c) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kSpecial.find(c) != std::string_view::npos;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Whether a comma-separated list, in lower case, has `wanted` (RFC 9110 section 5.6.1).
bool list_has(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
    while (item.ends_with(' ') || item.ends_with('\t')) item.remove_suffix(1);
    if (item == wanted) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

HttpRequestParser::Status HttpRequestParser::feed(Bytes bytes, std::size_t& used) {
  used = 0;
  for (const std::byte byte : bytes) {
    ++used;
    const char c = static_cast<char>(byte);
    // RFC 9112 section 2.2: empty lines before the request line are skipped.
    if (head_bytes_ == 0 && (c == '\r' || c == '\n')) continue;
    if (++head_bytes_ > kHeadBytesMax) return Status::too_large;
    if (const Status status = step(c); status != Status::more) return status;
  }
  return Status::more;
}

HttpRequestParser::Status HttpRequestParser::step(char c) {
  return part_ < Part::name ? step_request_line(c) : step_field(c);
}

// RFC 9112 section 3: method SP request-target SP HTTP-version CRLF. A lone LF ends a line too
// (section 2.2).
HttpRequestParser::Status HttpRequestParser::step_request_line(char c) {
  switch (part_) {
    case Part::method:
      if (c == ' ') return end_of_method() ? Status::more : Status::bad;
      if (!is_token(c) || word_bytes_ == word_.size()) return Status::bad;
      word_[word_bytes_++] = c;
      return Status::more;
    case Part::target:
      if (c == ' ' && target_bytes_ != 0) {
        part_ = Part::version;
        return Status::more;
      }
      if (c == ' ' || is_control(c)) return Status::bad;
      if (target_bytes_ == kTargetBytesMax) return Status::too_long;
      target_[target_bytes_++] = c;
      return Status::more;
    case Part::version:
      if (c == '\r' || c == '\n') {
        if (!end_of_version()) return Status::bad;
        part_ = c == '\n' ? Part::name : Part::line_end;
        return Status::more;
      }
      if (word_bytes_ == word_.size()) return Status::bad;
      word_[word_bytes_++] = c;
      return Status::more;
    default:  // Part::line_end
      if (c != '\n') return Status::bad;
      part_ = Part::name;
      return Status::more;
  }
}

// RFC 9112 section 5: field-name ":" OWS field-value OWS CRLF; an empty line ends the head. Folded
// lines and white space before the colon are refused (sections 5.1 and 5.2).
HttpRequestParser::Status HttpRequestParser::step_field(char c) {
  switch (part_) {
    case Part::name:
      if (word_bytes_ == 0 && !word_overflows_) {
        if (c == '\n') return end_of_head();
        if (c == '\r') {
          part_ = Part::end;
          return Status::more;
        }
      }
      if (c == ':' && (word_bytes_ != 0 || word_overflows_)) {
        part_ = Part::value;
        return Status::more;
      }
      if (!is_token(c)) return Status::bad;
      if (word_bytes_ < word_.size()) {
        word_[word_bytes_++] = lower(c);
      } else {
        word_overflows_ = true;
      }
      return Status::more;
    case Part::value:
      if (c == '\r') {
        part_ = Part::value_end;
        return Status::more;
      }
      if (c == '\n') return end_of_field() ? Status::more : Status::bad;
      if (is_control(c) && c != '\t') return Status::bad;
      add_to_value(c);
      return Status::more;
    case Part::value_end:
      if (c != '\n') return Status::bad;
      return end_of_field() ? Status::more : Status::bad;
    default:  // Part::end
      return c == '\n' ? end_of_head() : Status::bad;
  }
}

bool HttpRequestParser::end_of_method() {
  if (word_bytes_ == 0) return false;
  if (word() == "GET") method_ = HttpRequest::Method::get;
  if (word() == "HEAD") method_ = HttpRequest::Method::head;
  if (word() == "PUT") method_ = HttpRequest::Method::put;
  if (word() == "POST") method_ = HttpRequest::Method::post;
  word_bytes_ = 0;
  part_ = Part::target;
  return true;
}

bool HttpRequestParser::end_of_version() {
  const std::string_view version = word();
  http_1_1_ = version == "HTTP/1.1";
  const bool known = http_1_1_ || version == "HTTP/1.0";
  word_bytes_ = 0;
  return known;
}

void HttpRequestParser::add_to_value(char c) {
  if (value_bytes_ == 0 && (c == ' ' || c == '\t')) return;
  if (value_bytes_ == value_.size()) {
    value_overflows_ = true;
  } else {
    value_[value_bytes_++] = lower(c);
  }
}

bool HttpRequestParser::end_of_field() {
  const std::string_view name = word_overflows_ ? std::string_view{} : word();
  while (value_bytes_ > 0 && (value().back() == ' ' || value().back() == '\t')) --value_bytes_;
  bool good = true;
  if (name == "host") {
    good = !has_host_;
    has_host_ = true;
  } else if (name == "connection") {
    says_close_ = says_close_ || list_has(value(), "close");
    says_keep_alive_ = says_keep_alive_ || list_has(value(), "keep-alive");
  } else if (name == "expect") {
    says_expect_ = says_expect_ || list_has(value(), "100-continue");
  } else if (name == "content-length") {
    std::uint64_t length = 0;
    const char* const end = value().data() + value().size();
    const auto [rest, error] = std::from_chars(value().data(), end, length);
    good = error == std::errc{} && rest == end && !value_overflows_ && length <= kBodyBytesMax &&
           (!has_length_ || length == body_bytes_);
    has_length_ = true;
    body_bytes_ = length;
  } else if (name == "transfer-encoding") {
    good = false;  // a body in chunks is not offered
  }
  word_bytes_ = 0;
  word_overflows_ = false;
  value_bytes_ = 0;
  value_overflows_ = false;
  part_ = Part::name;
  return good;
}

// RFC 9112 section 3.2: a request of HTTP/1.1 has a Host field.
HttpRequestParser::Status HttpRequestParser::end_of_head() {
  return http_1_1_ && !has_host_ ? Status::bad : Status::complete;
}

HttpRequest HttpRequestParser::request() const {
  // RFC 9112 section 9.3: HTTP/1.1 persists unless told otherwise, HTTP/1.0 only when asked to.
  const bool keep_alive = !says_close_ && (http_1_1_ || says_keep_alive_);
  return {.method = method_,
          .keep_alive = keep_alive,
          .expects_continue = says_expect_ && http_1_1_ && body_bytes_ != 0,
          .body_bytes = body_bytes_,
          .target = std::string_view(target_.data(), target_bytes_)};
}

}  // namespace handfast::serve
