#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "apps/stream/payload.hpp"
#include "apps/stream/sha256.hpp"
#include "apps/stream/transfer.hpp"

namespace handfast::apps {
namespace {

using std::chrono::milliseconds;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// FIPS 180-2, appendix B.1 and B.2.
TEST(Sha256, AgreesWithItsStandardHoweverTheBytesAreCut) {
  Sha256 whole;
  whole.add(bytes_of("abc"));
  EXPECT_EQ(whole.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.add(bytes_of("abcdbcdecdefdefgefghfghighijhijk"));
  EXPECT_EQ(pieces.hex().size(), 64U);  // asking does not end it
  pieces.add(bytes_of("ijkljklmklmnlmnomnopnopq"));
  EXPECT_EQ(pieces.hex(), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Payload, RepeatsItsBlockAndNothingElse) {
  const Payload payload;
  const auto first = payload.at(0, Payload::kPeriod);
  ASSERT_EQ(first.size(), Payload::kPeriod);
  EXPECT_EQ(payload.at(Payload::kPeriod, 1).data(), first.data());
  EXPECT_EQ(payload.at(7, 3).data(), first.data() + 7);
  EXPECT_EQ(payload.at(Payload::kPeriod - 2, 10).size(), 2U);
  // A segment's length away the bytes are others.
  const auto moved = payload.at(1448, 1448);
  EXPECT_FALSE(std::equal(moved.begin(), moved.end(), first.begin()));
}

TEST(Transfer, CountsUpToThePeersFin) {
  const Instant start = Instant::from_ns(5'000'000);
  Transfer transfer(start, true);
  transfer.take(start + milliseconds(2), bytes_of("ab"));
  transfer.take(start + milliseconds(3), bytes_of("c"));
  transfer.finish(start + milliseconds(4));
  transfer.end(start + milliseconds(900), CloseReason::finished);
  const TransferRecord record = transfer.record();
  EXPECT_EQ(record.bytes_received, 3U);
  EXPECT_EQ(record.time, milliseconds(4));
  EXPECT_TRUE(record.peer_finished);
  const auto json = to_json(record);
  EXPECT_EQ(json["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(json["received_bits_per_second"], 6000.0);
  EXPECT_EQ(json["ended"], "finished");
}

TEST(Transfer, OneThatWasCutLastedUntilTheCut) {
  Transfer transfer(Instant{}, false);
  transfer.take(Instant{} + milliseconds(1), bytes_of("abc"));
  transfer.end(Instant{} + milliseconds(10), CloseReason::aborted);
  EXPECT_EQ(transfer.record().time, milliseconds(10));
  EXPECT_FALSE(transfer.record().peer_finished);
  EXPECT_TRUE(to_json(transfer.record())["sha256"].is_null());
}

}  // namespace
}  // namespace handfast::apps
