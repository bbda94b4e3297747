// Which listener a local endpoint belongs to: exact before unspecified, and no endpoint twice.
#include "table/listener_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/random.hpp"

namespace handfast::table {
namespace {

constexpr Address kFirst = Address::v4(0xc6120001);
constexpr Address kSecond = Address::v4(0xc6120002);
constexpr Address kAny = Address::v4(0);

TEST(ListenerTable, PrefersTheExactAddress) {
  ListenerTable table;
  ASSERT_TRUE(table.reserve(8));
  EXPECT_EQ(table.find(kFirst, 80), std::nullopt);
  const auto any = table.add({kAny, 80});
  const auto exact = table.add({kFirst, 80});
  ASSERT_TRUE(any && exact);
  EXPECT_NE(*any, *exact);
  EXPECT_EQ(table.find(kFirst, 80), *exact);
  EXPECT_EQ(table.find(kSecond, 80), *any);
  EXPECT_EQ(table.find(kFirst, 81), std::nullopt);
  EXPECT_TRUE(table.remove({kFirst, 80}));
  EXPECT_EQ(table.find(kFirst, 80), *any);
  EXPECT_TRUE(table.remove({kAny, 80}));
  EXPECT_EQ(table.find(kFirst, 80), std::nullopt);
  EXPECT_EQ(table.size(), 0U);
}

TEST(ListenerTable, AnExactListenerDoesNotAnswerForOthers) {
  ListenerTable table;
  ASSERT_TRUE(table.reserve(8));
  ASSERT_TRUE(table.add({kFirst, 80}));
  EXPECT_EQ(table.find(kSecond, 80), std::nullopt);
}

TEST(ListenerTable, RefusesTheSameEndpointTwice) {
  ListenerTable table;
  ASSERT_TRUE(table.reserve(8));
  ASSERT_TRUE(table.add({kFirst, 80}));
  ASSERT_TRUE(table.add({kAny, 80}));
  EXPECT_EQ(table.add({kFirst, 80}), std::unexpected(Error::address_in_use));
  EXPECT_EQ(table.add({kAny, 80}), std::unexpected(Error::address_in_use));
  EXPECT_EQ(table.size(), 2U);
  EXPECT_FALSE(table.remove({kSecond, 80}));
  EXPECT_FALSE(table.remove({kAny, 81}));
}

TEST(ListenerTable, UnspecifiedIpv6IsEveryAddressOfBothFamilies) {
  ListenerTable table;
  const Address v6 = Address::parse("2001:db8::1").value();
  ASSERT_TRUE(table.reserve(8));
  const auto dual = table.add({Address{}, 80});
  ASSERT_TRUE(dual);
  EXPECT_EQ(table.find(v6, 80), *dual);
  EXPECT_EQ(table.find(kFirst, 80), *dual);
  EXPECT_EQ(table.add({Address{}, 80}), std::unexpected(Error::address_in_use));

  const auto v4_only = table.add({kAny, 80});
  ASSERT_TRUE(v4_only);
  EXPECT_EQ(table.find(v6, 80), *dual);
  EXPECT_EQ(table.find(kFirst, 80), *v4_only);
  EXPECT_TRUE(table.remove({Address{}, 80}));
  EXPECT_EQ(table.find(v6, 80), std::nullopt);
  EXPECT_EQ(table.find(kFirst, 80), *v4_only);
  EXPECT_FALSE(table.remove({Address{}, 80}));
}

TEST(ListenerTable, RefusesMoreThanItsMost) {
  ListenerTable table;
  ASSERT_TRUE(table.reserve(2));
  ASSERT_TRUE(table.add({kAny, 1}));
  ASSERT_TRUE(table.add({kFirst, 2}));
  EXPECT_EQ(table.add({kAny, 3}), std::unexpected(Error::too_many_listeners));
  EXPECT_EQ(table.add({kFirst, 2}), std::unexpected(Error::address_in_use));
  // The id of a removed one is given again.
  ASSERT_TRUE(table.remove({kAny, 1}));
  EXPECT_EQ(table.add({kSecond, 3}), 0);
}

TEST(ListenerTable, AgreesWithTheModel) {
  base::Random random(7);
  ListenerTable table;
  ASSERT_TRUE(table.reserve(300));
  std::map<std::pair<Address, std::uint16_t>, std::uint16_t> model;
  const auto random_endpoint = [&random] {
    const auto host = static_cast<std::uint32_t>(random.below(40));
    return Endpoint{host == 0 ? kAny : Address::v4(0xc6120000 + host),
                    static_cast<std::uint16_t>(random.below(20))};
  };
  for (int step = 0; step < 20'000; ++step) {
    const Endpoint changed = random_endpoint();
    const std::pair key{changed.address, changed.port};
    if (random.chance(0.55)) {
      const auto added = table.add(changed);
      ASSERT_EQ(added.has_value(), !model.contains(key) && model.size() < 300);
      if (added) model.emplace(key, *added);
    } else {
      ASSERT_EQ(table.remove(changed), model.erase(key) == 1);
    }
    ASSERT_EQ(table.size(), model.size());
    const Endpoint wanted = random_endpoint();
    auto expected = model.find({wanted.address, wanted.port});
    if (expected == model.end()) expected = model.find({kAny, wanted.port});
    const auto found = table.find(wanted.address, wanted.port);
    ASSERT_EQ(found.has_value(), expected != model.end());
    if (found) {
      ASSERT_EQ(*found, expected->second);
    }
  }
}

}  // namespace
}  // namespace handfast::table
