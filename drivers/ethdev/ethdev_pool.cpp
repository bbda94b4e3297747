#include "drivers/ethdev/ethdev_pool.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>

#include "drivers/ethdev/mbuf_packet.hpp"

namespace handfast::drivers {
namespace {

constexpr std::size_t kBulk = 64;

std::size_t buffer_size(const PoolOptions& options) {
  return std::size_t{RTE_PKTMBUF_HEADROOM} + options.data_room;
}

// An mbuf that can go back as it is: ours alone, one segment, buffer inside. Reads the record's
// first cache line only; nb_segs == 1 says what `next`, in the second line, would say.
bool is_plain(const rte_mbuf* mbuf) {
  return rte_mbuf_refcnt_read(mbuf) == 1 && mbuf->nb_segs == 1 &&
         (mbuf->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0;
}

// Gathers mbufs of one mempool and returns them together.
class ReturnBatch {
 public:
  ReturnBatch() = default;
  ReturnBatch(const ReturnBatch&) = delete;
  ReturnBatch& operator=(const ReturnBatch&) = delete;
  ~ReturnBatch() { flush(); }

  void add(rte_mbuf* mbuf) {
    if (mbuf->pool != pool_ || count_ == mbufs_.size()) {
      flush();
      pool_ = mbuf->pool;
    }
    mbufs_[count_++] = mbuf;
  }

 private:
  void flush() {
    if (count_ != 0) {
      rte_mempool_put_bulk(pool_, mbufs_.data(), static_cast<unsigned>(count_));
      count_ = 0;
    }
  }

  rte_mempool* pool_ = nullptr;
  std::size_t count_ = 0;
  std::array<void*, kBulk> mbufs_;
};

// The last freed first: a stack of packets goes round in few of them, which stay in cache. DPDK's
// usual ring goes through all of them, whatever is in use: with one end's packets freed by another
// core, each is cold when it is taken again. Not every build of DPDK has the stack.
rte_mempool* create_mempool(const std::string& name, const PoolOptions& options,
                            std::uint32_t cache) {
  rte_mempool* mempool = nullptr;
  for (const char* const handler : {"stack", "ring_mp_mc"}) {
    mempool = rte_pktmbuf_pool_create_by_ops(name.c_str(), options.packets, cache, 0,
                                             static_cast<std::uint16_t>(buffer_size(options)),
                                             SOCKET_ID_ANY, handler);
    if (mempool != nullptr || rte_errno != EINVAL) break;
  }
  return mempool;
}

}  // namespace

std::uint64_t pool_memory(const PoolOptions& options) {
  // The object header (64 bytes), the record (128) and what spreads objects over memory channels.
  constexpr std::uint64_t kPerPacket = 64 + 128 + 64;
  constexpr std::uint64_t kCaches = 1 << 20;  // one for each thread EAL can know
  return std::uint64_t{options.packets} * (buffer_size(options) + kPerPacket + sizeof(void*) * 2) +
         kCaches;
}

std::expected<std::unique_ptr<EthdevPool>, std::string> EthdevPool::create(
    const std::string& name, const PoolOptions& options) {
  // DPDK asks that a cache hold at most two thirds of the pool.
  const auto cache = std::min<std::uint32_t>(options.cache, options.packets / 2);
  rte_mempool* const mempool = create_mempool(name, options, cache);
  if (mempool == nullptr) {
    return std::unexpected(fmt::format(
        "no memory for {} packets ({} MB) of pool {}: {}; ask for fewer packets, or give EAL more "
        "memory with -m",
        options.packets, pool_memory(options) >> 20, name, rte_strerror(rte_errno)));
  }
  return std::unique_ptr<EthdevPool>(new EthdevPool(mempool, options.data_room));
}

EthdevPool::~EthdevPool() {
  rte_mempool_free(mempool_);
}

std::size_t EthdevPool::allocate(std::span<base::Packet> out) {
  std::array<void*, kBulk> mbufs;
  std::size_t filled = 0;
  while (filled < out.size()) {
    // rte_pktmbuf_alloc_bulk() would write both cache lines of each mbuf. A mbuf in the pool has
    // refcnt 1, one segment and no `next` already, and sending sets the rest.
    std::size_t count = std::min(out.size() - filled, kBulk);
    if (rte_mempool_get_bulk(mempool_, mbufs.data(), static_cast<unsigned>(count)) != 0) {
      // All or nothing: near the end, take what is left one at a time.
      count = 0;
      while (filled + count < out.size() && count < kBulk &&
             rte_mempool_get(mempool_, &mbufs[count]) == 0) {
        ++count;
      }
      if (count == 0) break;
    }
    for (std::size_t i = 0; i < count; ++i) {
      auto* const mbuf = static_cast<rte_mbuf*>(mbufs[i]);
      __builtin_prefetch(mbuf, 1);  // sending writes it, and it may be another core's still
      out[filled++] = {.data = buffer_start(mbuf) + base::kPacketHeadroom, .buffer = mbuf};
    }
  }
  return filled;
}

void EthdevPool::free(std::span<const base::Packet> packets) {
  ReturnBatch batch;
  for (const auto& packet : packets) {
    rte_mbuf* const mbuf = mbuf_of(packet);
    if (is_plain(mbuf)) [[likely]] {
      batch.add(mbuf);
    } else {
      // This one segment: a shared packet may still be linked to others that were sent with it.
      rte_pktmbuf_free_seg(mbuf);
    }
  }
}

void EthdevPool::share(const base::Packet& packet) {
  rte_mbuf_refcnt_update(mbuf_of(packet), 1);
}

bool EthdevPool::is_shared(const base::Packet& packet) const {
  return rte_mbuf_refcnt_read(mbuf_of(packet)) > 1;
}

// Without the threads' caches, which are many lines to read and hold little
// (rte_mempool_avail_count reads them all).
unsigned EthdevPool::free_sixteenths() const {
  const std::uint64_t free = rte_mempool_get_ops(mempool_->ops_index)->get_count(mempool_);
  return static_cast<unsigned>(free * 16 / mempool_->size);
}

std::size_t EthdevPool::available() const {
  return rte_mempool_avail_count(mempool_);
}

std::size_t EthdevPool::size() const {
  return mempool_->size;
}

}  // namespace handfast::drivers
