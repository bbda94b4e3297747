// The heads of HTTP requests and responses: what is read must not depend on how the bytes were cut
// into segments, and lies within the bounds that the parsers promise.

#include "apps/load/http_response.hpp"
#include "apps/serve/http_request.hpp"
#include "base/assert.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

namespace {

template <class Reader>
struct Fed {
  Reader reader;
  typename Reader::Status status = Reader::Status::more;
  std::size_t used = 0;
};

// In pieces of `piece` bytes and more; 0: whole.
template <class Reader>
void feed(Fed<Reader>& fed, Bytes bytes, std::size_t piece) {
  while (!bytes.empty() && fed.status == Reader::Status::more) {
    const Bytes now = piece == 0 ? bytes : bytes.first(std::min(piece, bytes.size()));
    std::size_t used = 0;
    fed.status = fed.reader.feed(now, used);
    HANDFAST_ASSERT(used <= now.size());
    HANDFAST_ASSERT(fed.status != Reader::Status::more || used == now.size());
    fed.used += used;
    bytes = bytes.subspan(used);
    piece = piece == 0 ? 0 : piece + 1;
  }
}

void check_request(Bytes bytes, std::size_t piece) {
  using Parser = serve::HttpRequestParser;
  Fed<Parser> whole;
  Fed<Parser> cut;
  feed(whole, bytes, 0);
  feed(cut, bytes, piece);
  HANDFAST_ASSERT(whole.status == cut.status && whole.used == cut.used);
  HANDFAST_ASSERT(whole.used <= Parser::kHeadBytesMax + 1);
  if (whole.status != Parser::Status::complete) return;
  const serve::HttpRequest a = whole.reader.request();
  const serve::HttpRequest b = cut.reader.request();
  HANDFAST_ASSERT(a.method == b.method && a.target == b.target && a.body_bytes == b.body_bytes);
  HANDFAST_ASSERT(a.keep_alive == b.keep_alive && a.expects_continue == b.expects_continue);
  HANDFAST_ASSERT(!a.target.empty() && a.target.size() <= Parser::kTargetBytesMax);
}

void check_response(Bytes bytes, std::size_t piece) {
  using Reader = load::HttpResponseReader;
  Fed<Reader> whole;
  Fed<Reader> cut;
  feed(whole, bytes, 0);
  feed(cut, bytes, piece);
  HANDFAST_ASSERT(whole.status == cut.status && whole.used == cut.used);
  if (whole.status != Reader::Status::complete) return;
  HANDFAST_ASSERT(whole.reader.code() == cut.reader.code());
  HANDFAST_ASSERT(whole.reader.code() >= 0 && whole.reader.code() <= 999);
  HANDFAST_ASSERT(whole.reader.body_bytes() == cut.reader.body_bytes());
}

void run(Input input) {
  const std::size_t piece = 1 + input.below(64);
  const bool is_response = input.flag();
  const std::vector<std::byte> bytes = input.rest();
  if (is_response) {
    check_response(bytes, piece);
  } else {
    check_request(bytes, piece);
  }
}

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::run({data, size});
  return 0;
}
