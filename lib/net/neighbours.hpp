// Neighbours: the link addresses of next hops, found by ARP (RFC 826) or Neighbour Discovery (RFC
// 4861) and kept by the state machine of the latter's section 7.3. It parses no frame and owns no
// clock: the stack hands it what has arrived, asks for a link header per frame sent, and calls
// advance() when next_deadline() has come. One worker's own; all memory is taken in the
// constructor.
//
//                queue()               reply              30 s
//   UNRESOLVED ----------> INCOMPLETE -------> REACHABLE ------> STALE
//     ^    ^                   |                  ^   ^            | link_header()
//     |    | 1 s       3 requests, no reply       |   +---learn----+
//     |    +----- FAILED <-----+                  +---learn----+   v
//     +------------------------ 3 unicast probes, no reply --- PROBE
//
// The RFC's DELAY is left out: it waits for a hint from TCP that spares the probe, and one unicast
// question every 30 s for a neighbour in use is not worth a hint on every acknowledgement.
// Of IPv6, what tells a link address without proving that its owner hears us (a solicitation, an
// advertisement that nobody asked for) leads to STALE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/counter.hpp"
#include "base/device.hpp"
#include "base/flow_key.hpp"
#include "base/packet.hpp"
#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "net/frame_sink.hpp"
#include "net/held_frames.hpp"
#include "net/interface.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/ethernet.hpp"

namespace handfast::net {

// Stable while pinned. Unpinned, it holds until the next call that may evict or expire an entry:
// find_or_add, learn, receive_..., advance.
using NeighbourId = std::uint16_t;

inline constexpr std::size_t kNeighboursMax = 4096;
// RFC 1122 section 2.3.2.2 asks for one at least; a client that opens thousands of connections
// through one gateway should not lose its first burst of SYNs.
inline constexpr std::uint16_t kQueuedFramesMax = 256;        // of one entry
inline constexpr std::uint16_t kQueuedFramesTotalMax = 1024;  // of all
// RFC 1122 section 2.3.2.1: at most one request per second and destination.
inline constexpr Duration kRequestInterval = std::chrono::seconds(1);
// RFC 4861 section 10: MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT.
inline constexpr unsigned kRequestsMax = 3;
inline constexpr unsigned kProbesMax = 3;
// RFC 4861 section 10: REACHABLE_TIME.
inline constexpr Duration kReachableTime = std::chrono::seconds(30);
// An entry not used for so long is dropped. RFC 1122 section 2.3.2.1 asks for "on the order of a
// minute" against stale mappings; here those are probed before that, so this only frees memory.
inline constexpr Duration kUnusedTime = std::chrono::minutes(10);
// After a failure no request is sent for so long; frames to that next hop are dropped meanwhile.
inline constexpr Duration kFailureHoldOff = std::chrono::seconds(1);
// Deadlines are rounded up to a multiple of this, which bounds how often advance() walks the table.
inline constexpr Duration kNeighbourTick = std::chrono::milliseconds(10);

class Neighbours {
 public:
  // All three are borrowed for life; the sink is used by the destructor too. `secret` keys the
  // lookup.
  Neighbours(const Interface& interface, FrameSink& sink, base::LiveCounters& counters,
             const base::HashSecret& secret = {});
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;
  // Frees the frames still queued.
  ~Neighbours();

  // The entry of an on-link address; a new one starts UNRESOLVED and sends nothing. When full, an
  // unpinned entry gives way, unresolved ones first; nothing when all are pinned.
  // Cost: a hash lookup; when full, the walk described at kEvictionWindow.
  std::optional<NeighbourId> find_or_add(const Address& next_hop, Instant now);
  // How many entries have given way so far: while it stays, what find_or_add() said still holds.
  std::uint64_t removals() const { return removals_; }
  // A connection that keeps the id keeps the entry.
  void pin(NeighbourId id);
  void unpin(NeighbourId id);

  // The finished link header of frames to this neighbour, valid until the next call of any
  // other function here; null while its address is unknown: emit the frame with
  // placeholder_header() and queue() it. Use of a STALE entry returns the old header and sends a
  // unicast probe, through the sink and at once (RFC 4861 section 7.3.3).
  const wire::LinkHeader* link_header(NeighbourId id, Instant now) {
    Entry& entry = entries_[id];
    entry.last_used = now;
    if (entry.state == State::reachable) [[likely]]
      return &entry.header;
    return unconfirmed_header(entry, now);
  }

  // For frames to this neighbour while its address is unknown: queue() patches the destination.
  const wire::LinkHeader& placeholder_header(NeighbourId id) const {
    return entries_[id].address.is_v4() ? placeholder_v4_ : placeholder_v6_;
  }

  // Takes a finished frame and keeps it until the address is known, when its first six bytes are
  // patched and it is sent; frames leave in the order they came. Starts resolution if none is under
  // way. Over a bound the neighbour's oldest frame is dropped and counted (RFC 1122 section 2.3.2.2
  // wants the latest kept), or this one if it holds none. In FAILED this frame is dropped at once.
  void queue(NeighbourId id, const base::Packet& frame, Instant now);

  // What an ARP packet's sender fields say (RFC 826, "merge"). Updates an existing entry and sends
  // its queued frames; creates one only if the packet was for us, so that third parties' gossip
  // fills no table. False when it cannot be true or used: an address of ours, off-link or no
  // host's, a MAC address that is a group's or zero. When true, every other worker has to be told
  // (with `for_us` false): each has a table of its own, and only one receives the packet.
  bool learn(const Address& address, const base::MacAddress& mac, Instant now, bool for_us);

  // Learns from a valid ARP packet and answers requests for addresses of ours, owned ranges
  // included; a probe from 0.0.0.0 (RFC 5227 section 2.1.1) is answered, not learned. A packet that
  // claims an address of ours as its sender's is ignored: neither believed nor defended against.
  // Returns what learn() did. The caller counts arp_received.
  bool receive_arp(const wire::Arp& arp, Instant now);

  // The same of Neighbour Discovery, from valid messages that `frame` carried: both return whether
  // every other worker has to learn() the solicitation's source or the advertisement's target. A
  // solicitation for an address of ours is answered, a probe for duplicates (RFC 4862) too. An
  // advertisement of an address of ours is ignored. The caller counts discovery_received.
  bool receive_solicitation(const wire::NeighbourSolicitation& solicitation,
                            const wire::Frame& frame, Instant now);
  bool receive_advertisement(const wire::NeighbourAdvertisement& advertisement, Instant now);

  // False where the advertisement changes nothing (RFC 4861 section 7.2.5): nothing is known of its
  // address, it tells no link address where one is wanted, or another that is not to be replaced.
  bool heeds(const wire::NeighbourAdvertisement& advertisement) const;

  // Where a host is, by its own word in another message (RFC 4861 section 6.3.4, of routers): makes
  // an entry, which is STALE, unless the address is known already.
  void hear_of(const Address& address, const base::MacAddress& mac, Instant now);

  // Advertisements of ours replace nobody's while it is not sure that our addresses are ours (RFC
  // 4429 section 3.3).
  void set_optimistic(bool on) { is_optimistic_ = on; }

  // One ARP announcement (RFC 5227 section 2.3) or unsolicited advertisement (RFC 4861 section
  // 7.2.6) for each of our addresses, so that neighbours with an older mapping learn ours. Not for
  // owned ranges, which may have millions.
  void announce() {
    announce_ipv4();
    announce_ipv6();
  }
  void announce_ipv4();
  void announce_ipv6();

  // Never later than the first retry, failure or expiry that is due.
  Instant next_deadline() const { return next_deadline_; }
  void advance(Instant now);

  // Visits each pinned neighbour that failed since the last call: visit(NeighbourId). Their
  // connections may be told (EHOSTUNREACH elsewhere); nothing forces them to end.
  template <class Visitor>
  void take_failed(Visitor visit) {
    for (std::size_t i = 0; untold_failures_ > 0 && i < touched_; ++i) {
      if (!entries_[i].failure_untold) continue;
      entries_[i].failure_untold = false;
      --untold_failures_;
      visit(static_cast<NeighbourId>(i));
    }
  }

  // It was asked for its link address in vain, and has not been heard since.
  bool is_silent(NeighbourId id) const { return entries_[id].is_silent; }
  bool is_silent(const Address& address) const {
    const auto id = find(address);
    return id && is_silent(*id);
  }

  std::size_t size() const { return size_; }
  std::size_t queued_frames() const { return held_.size(); }

 private:
  enum class State : std::uint8_t {
    free,
    unresolved,  // known by its IP address only; nothing asked
    incomplete,  // asked by broadcast or multicast
    reachable,
    stale,  // not confirmed for kReachableTime; the mapping is used, and use probes it
    probe,  // asked by unicast; the old mapping is used meanwhile
    failed,
  };

  // What link_header() needs comes first and shares a cache line.
  struct alignas(64) Entry {
    wire::LinkHeader header{};
    State state = State::free;
    std::uint8_t requests_sent = 0;  // since the present question was first asked
    bool failure_untold = false;
    bool is_silent = false;  // failed, and no answer since
    Instant last_used;
    Instant deadline = Instant::never();
    std::uint32_t use_count = 0;
    base::MacAddress mac{};
    HeldFrames::List held;
    Address address;

    bool has_link_address() const {
      return state == State::reachable || state == State::stale || state == State::probe;
    }
  };

  // A full table's eviction looks at so many entries from where the last one ended, and further
  // only if all of those are pinned: a flood of new next hops must not cost a walk of the table
  // each.
  static constexpr std::size_t kEvictionWindow = 64;
  static constexpr std::size_t kSlots = 2 * kNeighboursMax;  // half full at most
  static_assert((kSlots & (kSlots - 1)) == 0);

  // Entries and the index by address.
  std::size_t home_slot(const Address& address) const;
  std::optional<NeighbourId> find(const Address& address) const;
  std::optional<NeighbourId> take_free_entry();
  std::optional<NeighbourId> choose_victim();
  static bool gives_way_before(const Entry& a, const Entry& b);
  void insert_slot(NeighbourId id);
  void erase_slot(NeighbourId id);
  void remove(NeighbourId id);

  // The state machine.
  const wire::LinkHeader* unconfirmed_header(Entry& entry, Instant now);
  void become_reachable(Entry& entry, const base::MacAddress& mac, Instant now);
  void become_stale(Entry& entry, const base::MacAddress& mac, Instant now);
  void take_link_address(Entry& entry, const base::MacAddress& mac);
  void ask(Entry& entry, State next, Instant now);
  void ask_again(Entry& entry, Instant now);
  void forget_link_address(Entry& entry, Instant now);
  void fail(Entry& entry, Instant now);
  void expire_if_unused(NeighbourId id, Instant now);
  void on_deadline(NeighbourId id, Instant now);
  void arm(Entry& entry, Instant deadline);

  // Frames waiting for a link address.
  void hold(Entry& entry, const base::Packet& frame);
  void drop(const base::Packet& frame);
  void drop_held(Entry& entry);
  void send_to(const Entry& entry, const base::Packet& frame);

  bool is_believable(const Address& address, const base::MacAddress& mac) const;
  // False, and counted, when the pool is dry; a question is then asked again by its own timer.
  bool allocate(base::Packet& out);

  // ARP packets of our own.
  bool send_arp(const wire::Arp& arp, const base::MacAddress& destination);
  void send_request(const Entry& entry);
  void send_reply(const wire::Arp& request);

  // Neighbour Discovery.
  void take_advertisement(Entry& entry, const wire::NeighbourAdvertisement& advertisement,
                          Instant now);
  void replace_link_address(Entry& entry, const base::MacAddress& mac, Instant now);
  void answer(const wire::NeighbourSolicitation& solicitation, const wire::Frame& frame);
  void solicit(const Entry& entry);
  void send_advertisement(const wire::NeighbourAdvertisement& advertisement, const Address& to,
                          const base::MacAddress& mac);
  wire::LinkHeader ipv6_link_header(const base::MacAddress& mac) const;

  const Interface* interface_;
  FrameSink* sink_;
  base::LiveCounters* counters_;
  base::HashSecret secret_;
  wire::LinkHeader placeholder_v4_;
  wire::LinkHeader placeholder_v6_;
  std::vector<Entry> entries_;        // kNeighboursMax
  std::vector<std::uint16_t> slots_;  // id + 1 by the address's hash, linear probing; 0 is empty
  std::vector<NeighbourId> free_;     // ids freed again, to be used first
  HeldFrames held_;
  std::uint64_t removals_ = 0;
  std::size_t size_ = 0;
  std::size_t touched_ = 0;  // entries at or above this were never used
  std::size_t pinned_ = 0;
  std::size_t hand_ = 0;  // where the next eviction looks first
  std::size_t untold_failures_ = 0;
  bool is_optimistic_ = false;
  Instant next_deadline_ = Instant::never();
};

}  // namespace handfast::net
