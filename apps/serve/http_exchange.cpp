#include "apps/serve/http_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace handfast::serve {

struct HttpExchange::Status {
  std::string_view line;
  std::string_view extra_field = {};
};

namespace {

// The generated body's bytes in one block, so that a piece of it is a stretch of memory.
constexpr std::size_t kBlockBytes = 64 * 1024;

const std::array<char, kBlockBytes>& block() {
  static const std::array<char, kBlockBytes> kBlock = [] {
    std::array<char, kBlockBytes> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = HttpExchange::kAlphabet[i % HttpExchange::kAlphabet.size()];
    }
    return bytes;
  }();
  return kBlock;
}

// The N of "/bytes/N".
std::optional<std::uint64_t> generated_size(std::string_view path) {
  constexpr std::string_view kPath = "/bytes/";
  if (!path.starts_with(kPath)) return std::nullopt;
  path.remove_prefix(kPath.size());
  std::uint64_t size = 0;
  const char* const end = path.data() + path.size();
  const auto [rest, error] = std::from_chars(path.data(), end, size);
  if (error != std::errc{} || rest != end || size > HttpExchange::kBytesMax) return std::nullopt;
  return size;
}

// The path of a request's target: "/path?query" or "http://host/path" (RFC 9112 section 3.2).
std::string_view path_of(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    target.remove_prefix(kScheme.size());
    const std::size_t slash = target.find('/');
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target.substr(0, target.find('?'));
}

}  // namespace

UploadHashes::UploadHashes() : all_(kMax) {
  for (apps::Sha256& hash : all_) free_.push_back(&hash);
}

apps::Sha256* UploadHashes::lend() {
  if (free_.empty()) return nullptr;
  apps::Sha256* const hash = free_.back();
  free_.pop_back();
  hash->restart();
  return hash;
}

void HttpExchange::release() {
  if (upload_ != nullptr) hashes_->give_back(std::exchange(upload_, nullptr));
}

std::size_t HttpExchange::receive(Bytes bytes) {
  if (finished()) return bytes.size();
  if (!to_send().empty()) return 0;
  const std::size_t taken = take_body(bytes);
  if (taken == bytes.size() || !to_send().empty()) return taken;

  std::size_t used = 0;
  switch (parser_.feed(bytes.subspan(taken), used)) {
    case HttpRequestParser::Status::more:
      break;
    case HttpRequestParser::Status::complete:
      body_due_ = parser_.request().body_bytes;
      answer(parser_.request());
      parser_.reset();
      break;
    case HttpRequestParser::Status::bad:
      refuse({"400 Bad Request"});
      break;
    case HttpRequestParser::Status::too_large:
      refuse({"431 Request Header Fields Too Large"});
      break;
    case HttpRequestParser::Status::too_long:
      refuse({"414 URI Too Long"});
      break;
  }
  return taken + used;
}

// What a body has left to come; a body nobody hashes is read past.
std::size_t HttpExchange::take_body(Bytes bytes) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(body_due_, bytes.size()));
  body_due_ -= taken;
  moved_ += taken;
  if (upload_ == nullptr) return taken;
  upload_->add(bytes.first(taken));
  upload_bytes_ += taken;
  if (body_due_ == 0) end_upload();
  return taken;
}

void HttpExchange::begin_upload(const HttpRequest& request) {
  upload_ = hashes_->lend();
  upload_bytes_ = 0;
  if (upload_ == nullptr) {
    keep_alive_ = false;
    body_ = "too many uploads at a time\n";
    begin({"503 Service Unavailable"}, "text/plain", body_.size(), true);
  } else if (body_due_ == 0) {
    end_upload();
  } else if (request.expects_continue) {  // RFC 9110 section 10.1.1
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    std::ranges::copy(kContinue, head_.begin());
    head_bytes_ = kContinue.size();
    head_sent_ = 0;
  }
}

void HttpExchange::end_upload() {
  const auto written = fmt::format_to_n(receipt_.begin(), receipt_.size(), "{} bytes, sha256 {}\n",
                                        upload_bytes_, upload_->hex());
  release();
  body_ = std::string_view(receipt_.data(), std::min(written.size, receipt_.size()));
  begin({"200 OK"}, "text/plain", body_.size(), true);
}

void HttpExchange::answer(const HttpRequest& request) {
  using Method = HttpRequest::Method;
  keep_alive_ = request.keep_alive;
  if (request.method == Method::put || request.method == Method::post) {
    begin_upload(request);
    return;
  }
  const bool with_body = request.method == Method::get;
  if (request.method == Method::other) {
    body_ = "only GET, HEAD, PUT and POST are served here\n";
    begin({"405 Method Not Allowed", "Allow: GET, HEAD, PUT, POST\r\n"}, "text/plain", body_.size(),
          true);
    return;
  }
  const std::string_view path = path_of(request.target);
  if (const auto size = generated_size(path)) {
    generates_ = true;
    begin({"200 OK"}, "text/plain", *size, with_body);
  } else if (path == "/" || path == "/index.html") {
    body_ = kPage;
    begin({"200 OK"}, "text/html", body_.size(), with_body);
  } else {
    body_ = "there is / and /bytes/N\n";
    begin({"404 Not Found"}, "text/plain", body_.size(), with_body);
  }
}

bool HttpExchange::time_out() {
  if (body_due_ != 0 || !to_send().empty()) return false;
  if (is_in_head()) {
    refuse({"408 Request Timeout"}, "the request took too long\n");
  }
  keep_alive_ = false;
  return true;
}

// What follows a request that was not understood cannot be told apart from it: the last answer.
void HttpExchange::refuse(const Status& status, std::string_view reason) {
  keep_alive_ = false;
  body_ = reason;
  begin(status, "text/plain", body_.size(), true);
}

void HttpExchange::begin(const Status& status, std::string_view type, std::uint64_t body_bytes,
                         bool with_body) {
  const auto written = fmt::format_to_n(head_.begin(), head_.size(),
                                        "HTTP/1.1 {}\r\nServer: handfast\r\n{}Content-Type: {}\r\n"
                                        "Content-Length: {}\r\nConnection: {}\r\n\r\n",
                                        status.line, status.extra_field, type, body_bytes,
                                        keep_alive_ ? "keep-alive" : "close");
  head_bytes_ = static_cast<std::uint16_t>(std::min(written.size, head_.size()));
  head_sent_ = 0;
  body_bytes_ = with_body ? body_bytes : 0;
  body_sent_ = 0;
  ++answers_;
}

Bytes HttpExchange::to_send() const {
  std::string_view piece;
  if (head_sent_ < head_bytes_) {
    piece = std::string_view(head_.data(), head_bytes_).substr(head_sent_);
  } else if (body_sent_ < body_bytes_ && generates_) {
    const auto start = static_cast<std::size_t>(body_sent_ % kBlockBytes);
    piece = std::string_view(block().data(), kBlockBytes).substr(start);
    piece = piece.substr(0, static_cast<std::size_t>(
                                std::min<std::uint64_t>(piece.size(), body_bytes_ - body_sent_)));
  } else if (body_sent_ < body_bytes_) {
    piece = body_.substr(static_cast<std::size_t>(body_sent_));
  }
  return std::as_bytes(std::span(piece.data(), piece.size()));
}

void HttpExchange::sent(std::size_t count) {
  moved_ += count;
  if (head_sent_ < head_bytes_) {
    head_sent_ = static_cast<std::uint16_t>(head_sent_ + count);
  } else {
    body_sent_ += count;
  }
  if (!to_send().empty()) return;
  head_bytes_ = 0;
  head_sent_ = 0;
  body_bytes_ = 0;
  body_sent_ = 0;
  generates_ = false;
}

}  // namespace handfast::serve
