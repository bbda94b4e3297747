// What no peer's bytes may do: make a parser read outside the frame (the sanitizers look), or hand
// out a view outside it.
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "tests/wire/samples_v6.hpp"

namespace handfast::wire {
namespace {

const Buffer kPayload = bytes_of("some payload");

// Hop-by-hop, destination options, routing, fragment.
const Buffer kExtensionHeaders =
    to_buffer({60, 0, 5, 2, 0,  0, 1, 0, 43, 1, 1, 4, 0, 0, 0, 0, 1, 6, 0, 0,
               0,  0, 0, 0, 44, 0, 0, 0, 0,  0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 1});

struct Sample {
  Buffer frame;
  std::optional<std::uint16_t> vlan;
};

std::vector<Sample> valid_frames() {
  const Buffer quote = quote_of(tcp_frame(syn_segment()), 20);
  const Buffer quote6 = quote_of_v6(tcp6_frame(syn_segment()), 20);
  return {
      {tcp_frame(data_segment(kPayload)), {}},
      {tcp_frame(data_segment(kPayload), 42), 42},
      {tcp_frame(syn_segment()), {}},
      {tcp_frame(sack_segment()), {}},
      {arp_frame(arp_request()), {}},
      {icmp_frame(kIcmpEchoRequest, 0, 1, kPayload), {}},
      {icmp_frame(kIcmpDestinationUnreachable, 3, 0, quote), {}},
      {tcp6_frame(data_segment(kPayload)), {}},
      {tcp6_frame(sack_segment(), 42), 42},
      {with_extension_headers(tcp6_frame(data_segment(kPayload)), 0, kExtensionHeaders), {}},
      {icmpv6_frame(kIcmpv6EchoRequest, 0, 1, kPayload), {}},
      {icmpv6_frame(kIcmpv6PacketTooBig, 0, 1400, quote6), {}},
      {solicitation_frame({.target = kOurs6, .source_mac = kPeerMac}), {}},
      {advertisement_frame({.target = kPeers6, .target_mac = kPeerMac}), {}},
  };
}

bool is_inside(base::Bytes view, const Buffer& frame) {
  return view.empty() ||
         (view.data() >= frame.data() && view.data() + view.size() <= frame.data() + frame.size());
}

void expect_views_inside(const Parsed& parsed, const Buffer& frame) {
  EXPECT_TRUE(is_inside(parsed.frame.payload, frame));
  EXPECT_TRUE(is_inside(parsed.segment.payload, frame));
  EXPECT_TRUE(is_inside(parsed.icmp.body, frame));
  EXPECT_LE(parsed.segment.options.sack_count, 4);
}

// Parses the bytes behind IPv4 too when the mutation broke a checksum: no check may lean on it.
void parse_without_checksums(Buffer& frame, std::optional<std::uint16_t> vlan) {
  const Parsed parsed = parse(frame, vlan, base::kIpChecksumGood | base::kL4ChecksumGood);
  expect_views_inside(parsed, frame);
}

TEST(Malformed, TheSamplesAreValid) {
  for (Sample& sample : valid_frames()) {
    EXPECT_EQ(parse(sample.frame, sample.vlan).drop, Drop::none);
  }
}

TEST(Malformed, EveryTruncationIsRefusedWithoutReadingOutside) {
  for (const Sample& sample : valid_frames()) {
    // Of a padded ARP frame the body must be cut.
    const bool is_arp = sample.frame[13] == std::byte{0x06};
    const std::size_t whole = is_arp ? kEthernetHeaderSize + kArpSize : sample.frame.size();
    for (std::size_t length = 0; length < whole; ++length) {
      Buffer cut(sample.frame.begin(), sample.frame.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_NE(parse(cut, sample.vlan).drop, Drop::none) << length;
      parse_without_checksums(cut, sample.vlan);
    }
  }
}

TEST(Malformed, EveryTruncatedSegmentStaysInside) {
  Buffer whole = tcp_frame(sack_segment());
  const Parsed parsed = parse(whole);
  Frame frame = parsed.frame;
  frame.checksum_flags = base::kL4ChecksumGood;
  for (std::size_t length = 0; length < parsed.frame.payload.size(); ++length) {
    const base::Bytes part = parsed.frame.payload.first(length);
    const Buffer cut(part.begin(), part.end());
    TcpPorts ports;
    base::Segment segment;
    EXPECT_NE(parse_tcp(cut, frame, ports, segment), Drop::none) << length;
  }
}

TEST(Malformed, EveryTruncatedQuoteOfIpv6StaysInside) {
  const Buffer quote = quote_of_v6(tcp6_frame(syn_segment()), 20);
  for (std::size_t length = 0; length <= quote.size(); ++length) {
    const Buffer cut(quote.begin(), quote.begin() + static_cast<std::ptrdiff_t>(length));
    const Icmp icmp{.type = kIcmpv6TimeExceeded, .body = cut};
    EXPECT_EQ(parse_quoted_tcp_v6(icmp).has_value(), length >= kIpv6HeaderSize + 8) << length;
  }
}

TEST(Malformed, RandomExtensionHeadersStayInside) {
  base::Random random(11);
  constexpr auto kTypes = std::to_array<std::uint8_t>({0, 43, 44, 60, 6, 58});
  int passed = 0;
  for (int i = 0; i < 200'000 && !testing::Test::HasFailure(); ++i) {
    Buffer headers(8 * random.below(6));
    for (auto& byte : headers) byte = static_cast<std::byte>(random.below(4));
    for (std::size_t at = 0; at < headers.size(); at += 8) {
      headers[at] = static_cast<std::byte>(kTypes[random.below(kTypes.size())]);
    }
    Buffer frame = with_extension_headers(tcp6_frame(data_segment(kPayload)),
                                          kTypes[random.below(kTypes.size())], headers);
    const Parsed parsed = parse(frame, {}, base::kL4ChecksumGood);
    expect_views_inside(parsed, frame);
    passed += parsed.drop == Drop::none ? 1 : 0;
  }
  EXPECT_GT(passed, 1000);
}

TEST(Malformed, EveryTruncatedQuoteStaysInside) {
  const Buffer quote = quote_of(tcp_frame(syn_segment()), 20);
  for (std::size_t length = 0; length <= quote.size(); ++length) {
    const Buffer cut(quote.begin(), quote.begin() + static_cast<std::ptrdiff_t>(length));
    const Icmp icmp{.type = kIcmpTimeExceeded, .body = cut};
    EXPECT_EQ(parse_quoted_tcp(icmp).has_value(), length >= kIpv4HeaderSize + 8) << length;
  }
}

// Changes a few bytes, sometimes cuts, and sometimes makes the checksums right again, so that what
// lies behind them is reached as well.
Buffer mutate(const Buffer& frame, base::Random& random) {
  Buffer mutated = frame;
  for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    mutated[random.below(mutated.size())] = static_cast<std::byte>(random.below(256));
  }
  if (random.below(4) == 0) mutated.resize(random.below(mutated.size() + 1));
  mutated.shrink_to_fit();
  const bool is_icmpv6 =
      mutated.size() >= kIpv6PayloadAt + kIcmpHeaderSize && mutated[12] == std::byte{0x86};
  if (is_icmpv6 && random.below(2) == 0) repair_icmpv6_checksum(mutated);
  return mutated;
}

TEST(Malformed, RandomMutationsStayInside) {
  constexpr int kIterations = 200'000;
  const std::vector<Sample> samples = valid_frames();
  base::Random random(20'260'101);
  std::array<int, static_cast<std::size_t>(Drop::no_listener) + 1> seen{};
  for (int i = 0; i < kIterations && !testing::Test::HasFailure(); ++i) {
    const Sample& sample = samples[random.below(samples.size())];
    Buffer frame = mutate(sample.frame, random);
    const std::uint8_t flags =
        random.below(2) == 0 ? 0 : base::kIpChecksumGood | base::kL4ChecksumGood;
    const Parsed parsed = parse(frame, sample.vlan, flags);
    expect_views_inside(parsed, frame);
    ++seen[static_cast<std::size_t>(parsed.drop)];
  }
  // not_for_us_l3 (but for a mapped IPv6 destination) and no_listener are decided behind the
  // parsers.
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto reason = static_cast<Drop>(i);
    if (reason == Drop::not_for_us_l3 || reason == Drop::no_listener) continue;
    EXPECT_GT(seen[i], 0) << to_string(reason);
  }
}

TEST(Malformed, RandomOptionsStayInside) {
  base::Random random(7);
  Frame frame{};
  frame.checksum_flags = base::kL4ChecksumGood;
  for (int i = 0; i < 200'000 && !testing::Test::HasFailure(); ++i) {
    Buffer segment(kTcpHeaderSize + 4 * random.below(11));
    // Small values are kinds and lengths that mean something, and 34 is one more kind.
    for (auto& byte : segment) {
      const std::uint64_t value = random.below(13);
      byte = static_cast<std::byte>(value == 12 ? 34 : value);
    }
    segment[12] = static_cast<std::byte>(segment.size() << 2);
    TcpPorts ports;
    base::Segment out;
    if (parse_tcp(segment, frame, ports, out) != Drop::none) continue;
    EXPECT_TRUE(out.payload.empty());
    EXPECT_LE(out.options.sack_count, 4);
    EXPECT_LT(out.options.present, 32);
    EXPECT_LE(out.options.cookie_length, 16);
  }
}

}  // namespace
}  // namespace handfast::wire
