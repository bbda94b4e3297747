// Stack: one worker's whole TCP/IP stack, without I/O. It is a function of (frames, time, seed):
// whoever owns it (a runtime's worker, a simulator) calls, from one thread and in this order,
//
//   input(now, frames)    what has arrived; callbacks run
//   advance(now)          timers that are due; callbacks run
//   output(now)           segments that are due, at most a burst; events held back by a callback
//   frames(), sent(n)     the frames to hand to the device, and how many it took
//
// and may sleep until next_deadline(). lib/stack/pump.hpp does just that with a Device. Everything
// is bounded by StackConfig and taken at create(); nothing is allocated from the heap afterwards.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/counter.hpp"
#include "base/device.hpp"
#include "base/flow_key.hpp"
#include "base/mapped_array.hpp"
#include "base/packet.hpp"
#include "base/siphash.hpp"
#include "base/slab.hpp"
#include "base/stage_profile.hpp"
#include "handfast/config.hpp"
#include "handfast/handler.hpp"
#include "handfast/worker.hpp"
#include "net/duplicate_detection.hpp"
#include "net/group_reports.hpp"
#include "net/icmp_errors.hpp"
#include "net/icmp_input.hpp"
#include "net/interface.hpp"
#include "net/neighbours.hpp"
#include "net/router_discovery.hpp"
#include "stack/challenge_limit.hpp"
#include "stack/event_tables.hpp"
#include "stack/hand_over.hpp"
#include "stack/record_ref.hpp"
#include "stack/ring.hpp"
#include "stack/time_waits.hpp"
#include "table/flow_table.hpp"
#include "table/listener_table.hpp"
#include "table/port_allocator.hpp"
#include "tcp/fast_open.hpp"
#include "tcp/half_open.hpp"
#include "tcp/output.hpp"
#include "tcp/path_mtu.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/tcb.hpp"
#include "tcp/transfer.hpp"
#include "timer/wheel.hpp"
#include "wire/ip.hpp"

namespace handfast::stack {

// Where a stack stands among its fellows, and the secrets they share.
struct StackPlace {
  unsigned worker = 0;           // over the whole runtime; what Worker::id() says
  unsigned queue = 0;            // among the workers of its port
  unsigned queues = 1;           // how many those are
  base::HashSecret flow_secret;  // the same for all of a port: it decides who owns a flow
  base::SipKey isn_key{};        // likewise
};

class Stack final : private net::FrameSink {
 public:
  // `pool` and `hand_over` (which may be null) are borrowed for life. The error is one sentence
  // about the configuration, or says that memory was refused.
  static std::expected<std::unique_ptr<Stack>, std::string> create(const StackConfig& config,
                                                                   const StackPlace& place,
                                                                   const base::DeviceInfo& device,
                                                                   base::PacketPool& pool,
                                                                   HandOver* hand_over);
  ~Stack() override;

  // Takes ownership of the frames.
  void input(Instant now, std::span<const base::Packet> frames);
  // The same for frames that another worker of the port received.
  void input_handed_over(Instant now, std::span<const base::Packet> frames);
  void advance(Instant now);
  void output(Instant now);
  std::span<const base::Packet> frames() const { return {&ready_[ready_first_], ready_count()}; }
  // The device was offered frames() and took the first `n`.
  void sent(std::size_t n);
  // Whether the answers to so many frames would find a place in frames().
  bool has_room_for(std::size_t answers) const { return kReadyMax - ready_count() >= answers; }
  // Connections are waiting for their turn in output().
  bool has_output() const { return !pending_.is_empty(); }
  // When advance() or output() has something to do: a lower bound, never() when idle.
  Instant next_deadline() const;

  // Another worker's ARP news.
  void learn_neighbour(const Address& address, const base::MacAddress& mac);
  // Aborts every connection (reason `stopped`): their RSTs and their last events come with
  // output().
  void stop(Instant now);
  // Ends every connection at once and without a word to its peer: after stop(), when the device no
  // longer takes frames.
  void end_all(CloseReason reason);

  // Whoever polls tells what became of its time: a turn's, and that it slept.
  void count_turn(Duration took, bool was_busy) {
    (was_busy ? counters_.busy_ns : counters_.idle_ns) += static_cast<std::uint64_t>(took.count());
  }
  void count_sleep() { ++counters_.sleeps; }
  // And whether there was more to receive or to send than it took: what Worker says.
  void set_behind(bool is_behind) { is_behind_ = is_behind; }
  bool is_behind() const { return is_behind_; }

  Worker& worker() { return worker_; }
  const base::LiveCounters& counters() const { return counters_; }
  base::StageProfile& stages() { return stages_; }

  // What Worker and Connection call.
  std::expected<void, Error> listen(const Endpoint& local, void* handler,
                                    const HandlerTable& events, const ConnectionOptions& options);
  void stop_listening(const Endpoint& local);
  std::expected<Connection, Error> connect(const Endpoint& remote, void* handler,
                                           const HandlerTable& events,
                                           const ConnectOptions& options);
  StateCounts state_counts() const;
  Connection next_connection(const Connection& previous);
  Instant now() const { return context_.now; }
  unsigned id() const { return place_.worker; }
  std::span<const Address> duplicate_addresses() const { return duplicates_.duplicates(); }
  std::uint32_t open_count() const { return connections_.in_use(); }
  std::uint32_t half_open_count() const { return half_opens_.in_use(); }
  std::uint32_t time_wait_count() const { return time_waits_.size(); }
  std::uint64_t connection_table_bytes() const {
    return connections_.touched_bytes() + transfers_.touched_bytes() + half_opens_.touched_bytes() +
           flows_.bytes() + wheel_.touched_bytes() + pending_.touched_bytes();
  }

  // The live record of a reference, or null when it is stale.
  tcp::Tcb* find(std::uint32_t index, std::uint32_t generation);
  std::expected<std::size_t, Error> send(std::uint32_t index, std::span<const std::byte> bytes);
  std::expected<void, Error> send(std::uint32_t index, Buffer& buffer);
  std::expected<Buffer, Error> allocate_buffer();
  std::expected<Buffer, Error> retain(std::uint32_t index);
  void give_back(void* buffer) { packets_.free({.buffer = buffer}); }
  std::uint32_t urgent_bytes(std::uint32_t index) const;
  std::expected<std::size_t, Error> send_urgent(std::uint32_t index,
                                                std::span<const std::byte> bytes);
  void close(std::uint32_t index);
  void close_within(std::uint32_t index, Duration patience);
  void abort(std::uint32_t index, CloseReason reason);
  void resume_receive(std::uint32_t index);
  void set_timer(std::uint32_t index, Duration after);
  void set_user_timeout(std::uint32_t index, Duration timeout);
  void set_nagle(std::uint32_t index, bool on);
  std::expected<void, Error> set_keep_alive(std::uint32_t index, Duration idle);
  std::expected<void, Error> set_congestion_control(std::uint32_t index,
                                                    CongestionControl algorithm);
  ConnectionInfo info_of(const tcp::Tcb& tcb) const;
  NetworkError network_error_of(const tcp::Tcb& tcb) const;

 private:
  friend class Inspector;

  // Frames looked at together: their table lines are fetched while others are parsed.
  static constexpr std::size_t kInputBurst = 32;
  // output() stops here, so that input gets its turn.
  static constexpr std::size_t kOutputBurst = 64;
  // Answers given at once (RST, ARP, frames released by ARP) find room up to this bound.
  static constexpr std::size_t kReadyMax = 2048;
  static constexpr std::size_t kTimersPerTurn = 256;
  static constexpr std::uint32_t kStarvedPerTurn = 64;
  static constexpr std::size_t kTimeWaitsPerTurn = 256;

  // A parsed TCP segment on its way through the stages.
  struct Arrived {
    base::Packet packet;
    base::FlowKey key;
    std::uint64_t hash;
    base::Segment segment;
  };

  // The on_data that is running.
  struct Delivery {
    bool is_running = false;
    bool is_retained = false;
    bool is_queued = false;  // the text is the receive queue's first
    std::uint32_t index = 0;
    base::Packet packet;
    Bytes text;
  };

  // While on_urgent runs: bytes up to the mark.
  struct UrgentTold {
    std::uint32_t index = 0;
    std::uint32_t bytes = 0;  // 0: it does not run
  };

  // What neighbour_towards() said last; nothing at first, when no number of removals fits.
  struct Way {
    Address remote;
    Address next_hop;
    net::NeighbourId neighbour = 0;
    std::uint64_t removals = ~std::uint64_t{0};
  };

  struct Listener {
    void* handler;
    std::uint8_t events;  // which of event_tables_
    ConnectionOptions options;
    std::uint32_t half_open = 0;  // records of SYNs to it
  };

  Stack(const StackConfig& config, const StackPlace& place, const net::Interface& interface,
        const base::DeviceInfo& device, base::PacketPool& pool, HandOver* hand_over);
  [[nodiscard]] bool reserve(Instant now);
  [[nodiscard]] bool populate();

  // input.cpp: from frames to records.
  void set_time(Instant now);
  void expire_time_waits();
  void input_burst(std::span<const base::Packet> frames, bool handed_over);
  bool parse(const base::Packet& packet, bool handed_over, Arrived& out);
  bool parse_any(const base::Packet& packet, bool handed_over, Arrived& out);
  bool parse_segment(const base::Packet& packet, const wire::Frame& frame, Arrived& out);
  void input_arp(const wire::Frame& frame);
  void input_icmp(const base::Packet& packet, const wire::Frame& frame, bool handed_over);
  void input_discovery(const base::Packet& packet, const wire::Frame& frame,
                       const wire::Icmp& message, bool handed_over);
  void share_neighbour(const Address& address, const base::MacAddress& mac);
  void input_tcp_error(const base::Packet& packet, const net::TcpError& error, bool handed_over);
  bool is_sole_owner() const { return place_.queues == 1; }
  // True when the packet is another worker's business and has been passed on or dropped.
  bool hand_to_owner(const base::Packet& packet, std::uint64_t hash, bool handed_over);
  void prefetch_record(RecordRef ref) const;
  void dispatch(Arrived& arrived);
  wire::Drop check_addresses(const base::FlowKey& key) const;
  RecordRef find_flow(const base::FlowKey& key, std::uint64_t hash) const;
  bool matches(RecordRef ref, const base::FlowKey& key) const;
  void count_received(const base::Segment& segment);

  // control.cpp: what is said without a connection.
  void answer_echo(const wire::Frame& frame, const wire::Icmp& request);
  void complain_of(const wire::Frame& frame);
  template <class Emit>
  bool send_control(const Address& to, Emit emit);
  void begin_control();
  void advance_control();
  void set_control_deadline();
  wire::Drop input_router_advertisement(const base::Packet& packet, const wire::Frame& frame,
                                        const wire::Icmp& message, bool handed_over);
  void input_listener_query(const wire::Frame& frame, const wire::Icmp& message);
  void use_advertised();
  // `lost` is the address that was given up, if one was.
  void look_for_duplicate(const base::Packet& packet, const std::optional<Address>& lost,
                          bool handed_over);
  void lose_address(const Address& address);
  void look_for_lost_router(const base::Packet& packet,
                            const wire::NeighbourAdvertisement& advertisement, bool handed_over);
  void share_frame(const base::Packet& packet);

  // passive.cpp: LISTEN, SYN-RECEIVED, TIME-WAIT.
  // Returns whether the packet was kept.
  bool at_listener(Arrived& arrived);
  bool open_passively(const Arrived& arrived, std::uint32_t listener);
  bool open_fast(const Arrived& arrived, std::uint32_t listener, tcp::Seq iss);
  bool has_half_open_for(std::uint32_t listener) const;
  void open_half(const Arrived& arrived, std::uint32_t listener, tcp::Seq iss,
                 tcp::HalfOpenAnswer answer);
  void at_half_open(std::uint32_t index, Arrived& arrived);
  std::optional<std::uint32_t> promote(const tcp::HalfOpen& half, std::uint32_t listener);
  void establish(std::uint32_t index, Arrived& arrived);
  void answer_with_syn_cookie(const Arrived& arrived);
  bool may_show_syn_cookie() const;
  bool open_by_syn_cookie(Arrived& arrived, std::uint32_t listener);
  void count_half_opens();
  void drop_half_open(std::uint32_t index);
  void at_time_wait(std::uint32_t index, Arrived& arrived);
  void enter_time_wait(std::uint32_t index, std::uint64_t hash);
  void half_open_timer(std::uint32_t index);
  void answer_with_reset(const Arrived& arrived);

  // active.cpp: connections and their events.
  void at_connection(std::uint32_t index, Arrived& arrived);
  void meet_scarcity(tcp::Tcb& tcb, base::Segment& segment);
  void refuse_text(base::Segment& segment);
  void tell_urgent(std::uint32_t index, std::uint32_t bytes);
  void tell(std::uint32_t index, const Arrived& arrived, const tcp::Arrival& arrival,
            bool& packet_kept);
  void deliver_text(std::uint32_t index, const tcp::Arrival& arrival, const base::Packet& packet,
                    bool& packet_kept);
  void deliver_queued(std::uint32_t index);
  std::size_t offer(std::uint32_t index, const base::Packet& packet, Bytes text, bool is_queued);
  void want_room(std::uint32_t index);
  void tell_peer_finished(std::uint32_t index);
  // All that a handler is told goes through here.
  template <class Event, class... More>
  auto call_handler(Event HandlerTable::*event, std::uint32_t index, More... more) {
    const base::StageScope scope(stages_, Stage::callback);
    const tcp::Tcb& tcb = connections_[index];
    return (event_tables_[tcb.events].*event)(tcb.handler, reference(index), more...);
  }
  void finish(std::uint32_t index);
  void leave_flow_table(std::uint32_t index, std::uint64_t hash);
  void end(std::uint32_t index, CloseReason reason);
  std::optional<std::uint32_t> take_connection(void* handler, std::uint8_t events,
                                               const ConnectionOptions& options);
  void release_connection(std::uint32_t index);
  void connection_timer(std::uint32_t index);
  void count_end(CloseReason reason);
  std::expected<Address, Error> source_of(const Endpoint& remote,
                                          const ConnectOptions& options) const;
  std::expected<std::uint64_t, Error> choose_port(base::FlowKey& key, std::uint16_t wanted);
  Connection reference(std::uint32_t index) {
    return Connection{this, index, connections_[index].generation};
  }

  // output.cpp: from records to frames.
  void schedule(std::uint32_t index);
  void schedule_if_needed(std::uint32_t index);
  void schedule_after_call(std::uint32_t index);
  void schedule_half_open(std::uint32_t index, tcp::HalfOpenAnswer answer);
  void tell_starved();
  void update_timer(std::uint32_t index);
  // False when no packet or no room is left: the record keeps its turn.
  bool output_connection(std::uint32_t index);
  bool output_half_open(std::uint32_t index);
  void end_aborted(std::uint32_t index);
  wire::IpFields ip_fields_of(const base::FlowKey& key, const base::Segment& segment,
                              std::uint8_t dscp) const {
    wire::IpFields ip{.source = key.local,
                      .destination = key.remote,
                      .traffic_class = static_cast<std::uint8_t>(
                          dscp << 2 | static_cast<std::uint8_t>(segment.ecn)),
                      .hop_limit = interface_.hop_limit()};
    if (!ip.is_v4) ip.flow_label = wire::flow_label_of(hash_of(key));
    return ip;
  }
  bool emit(const base::FlowKey& key, const base::Segment& segment, net::NeighbourId neighbour,
            std::uint8_t dscp);
  bool emit_to_unknown(const base::FlowKey& key, const base::Segment& segment,
                       net::NeighbourId neighbour, std::uint8_t dscp);
  void write_frame(base::Packet& packet, const wire::LinkHeader& link, const base::FlowKey& key,
                   const base::Segment& segment, std::uint8_t dscp);
  // transmit.cpp: what next_segment() gave, from where its text lies if that can be.
  void transmit(const tcp::Tcb& tcb, const tcp::Outgoing& out);
  bool transmit_in_place(const tcp::Tcb& tcb, const tcp::Outgoing& out);
  bool can_leave_in_place(const tcp::Outgoing& out, std::uint32_t headers) const;
  void transmit_each(const tcp::Tcb& tcb, const tcp::Outgoing& out);
  // Nothing when no route leads there, or no room for another neighbour is left.
  std::optional<net::NeighbourId> neighbour_towards(const Address& remote);
  // Interface::next_hop() has then found it to be a host's address on a link.
  bool is_last_way(const Address& remote) const {
    return last_way_.remote == remote && last_way_.removals == neighbours_.removals();
  }
  // For answers without a connection: finds the way itself.
  bool emit_reply(const base::FlowKey& key, const base::Segment& segment);
  void challenge(std::uint32_t index);
  void count_taken(std::uint32_t text);
  void learn_cookie(const tcp::Tcb& tcb, const base::Segment& syn_ack, bool syn_was_lost);
  void count_sent(const base::Segment& segment);
  std::size_t ready_count() const { return ready_end_ - ready_first_; }
  std::uint64_t hash_of(const base::FlowKey& key) const {
    return base::hash_flow(key, place_.flow_secret);
  }
  std::uint32_t now_ms() const { return static_cast<std::uint32_t>(context_.now.ns() / 1'000'000); }
  base::TimerNode& timer_node(std::uint32_t id) {
    return id < connections_.capacity() ? connections_[id].timer
                                        : half_opens_[id - connections_.capacity()].timer;
  }
  void arm(std::uint32_t id, base::Tick deadline);

  // Where the next frame to leave is written; the caller counts it in `ready_end_`. Null: no room.
  base::Packet* place_in_ready() {
    return ready_end_ < kReadyMax ? &ready_[ready_end_] : make_place_in_ready();
  }
  base::Packet* make_place_in_ready();
  // False when there is no room: the packet is freed.
  bool put(const base::Packet& frame);

  // net::FrameSink, for Neighbours.
  void send(const base::Packet& frame) override;
  bool allocate(base::Packet& out) override;
  void free(const base::Packet& frame) override;

  StackPlace place_;
  HandOver* hand_over_;
  net::Interface interface_;
  base::DeviceInfo device_;
  wire::LinkFilter link_filter_;
  tcp::Parameters parameters_;
  base::LiveCounters counters_;
  base::PacketCache packets_;
  base::Slab<tcp::Transfer> transfers_;
  tcp::Context context_;
  Worker worker_;

  base::Slab<tcp::Tcb> connections_;
  base::Slab<tcp::HalfOpen> half_opens_;
  TimeWaits time_waits_;
  table::FlowTable flows_;
  table::ListenerTable listeners_;
  base::MappedArray<Listener> listener_handlers_;
  EventTables event_tables_;
  table::PortAllocator ports_;
  timer::Wheel wheel_;
  Ring<RecordRef> pending_;  // whose output is due
  // Whose send() found no packet, with nothing in flight whose acknowledgement would tell of room.
  Ring<std::uint32_t> starved_;
  net::Neighbours neighbours_;
  Way last_way_;
  net::IcmpInput icmp_;
  net::IcmpErrors icmp_errors_;
  net::RouterDiscovery routers_;
  net::DuplicateDetection duplicates_;
  net::GroupReports group_reports_;
  Instant control_deadline_;       // of those three
  ChallengeLimit challenge_acks_;  // records numbered as in timer_node()

  StackConfig config_;
  std::uint32_t time_wait_ms_;  // 2MSL
  bool stopped_ = false;        // nothing new begins
  base::SipKey syn_cookie_key_;
  std::optional<Instant> last_syn_cookie_;  // when the last one left
  tcp::FastOpenCookies cookies_;
  tcp::PathMtus path_mtus_;
  std::uint32_t fast_opens_ = 0;  // in SYN-RECEIVED with text of the SYN

  [[no_unique_address]] base::StageProfile stages_;
  Delivery delivery_;
  UrgentTold urgent_told_;
  std::size_t ready_first_ = 0;
  std::size_t ready_end_ = 0;
  bool is_behind_ = false;
  std::array<base::Packet, kReadyMax> ready_;
  std::array<Arrived, kInputBurst> arrived_;
};

}  // namespace handfast::stack
