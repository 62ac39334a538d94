// Preloaded into a process: its wall clock is off by as many seconds as the file says that SHIFTED_CLOCK_FILE
// names, 8 bytes that may change at any time. The monotonic clock is left alone. (libfaketime does the same,
// but not beside jemalloc: either waits for the other while they start.)
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace {

using Seconds = std::atomic<std::int64_t>;

// Nothing is allocated: the allocator itself asks for the time.
const Seconds* map_file() {
    const char* name = std::getenv("SHIFTED_CLOCK_FILE");
    const int file = name == nullptr ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nullptr;
    void* const mapped = mmap(nullptr, sizeof(Seconds), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return mapped == MAP_FAILED ? nullptr : static_cast<const Seconds*>(mapped);
}

std::int64_t shift() {
    static std::atomic<const Seconds*> seconds{nullptr};
    const auto* known = seconds.load();
    if (known == nullptr) {
        known = map_file();
        seconds.store(known);
    }
    return known == nullptr ? 0 : known->load();
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return result;
}

int gettimeofday(timeval* now, void*) noexcept {
    timespec precise{};
    clock_gettime(CLOCK_REALTIME, &precise);
    *now = {.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1'000};
    return 0;
}

time_t time(time_t* copy) noexcept {
    timespec precise{};
    clock_gettime(CLOCK_REALTIME, &precise);
    if (copy != nullptr) *copy = precise.tv_sec;
    return precise.tv_sec;
}
}
