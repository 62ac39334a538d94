#include "store/data_directory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace posthorn::store {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t socket_path_limit_bytes = 107;  // sockaddr_un.sun_path less the final NUL (unix(7))
constexpr const char* lock_name = "posthorn.lock";
constexpr std::string_view socket_name = "/.s.PGSQL.5432";

std::runtime_error failed(const fs::path& path, std::string_view action, int error) {
    return std::runtime_error(
        fmt::format("cannot {} {}: {}", action, path.string(), std::generic_category().message(error)));
}

// The lock's holder has written its process id into the file.
std::runtime_error in_use(const fs::path& data_dir) {
    std::string holder;
    std::getline(std::ifstream(data_dir / lock_name), holder);
    return std::runtime_error(
        fmt::format("the data directory {} is in use by another posthorn (process {}). Stop that one, or "
                    "give this one a directory of its own with POSTHORN_DATA_DIR",
                    data_dir.string(), holder.empty() ? "unknown" : holder));
}

bool holds_our_data(const fs::path& data_dir) {
    return fs::exists(data_dir / lock_name) || fs::exists(data_dir / "postgres") || fs::is_empty(data_dir);
}

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}
}  // namespace

DirectoryLock::DirectoryLock(const fs::path& data_dir) {
    try {
        lock_directory(data_dir);
        lock_file(data_dir);
    } catch (...) {
        release();
        throw;
    }
}

DirectoryLock::~DirectoryLock() { release(); }

void DirectoryLock::release() {
    if (file_ >= 0) close(file_);
    if (directory_ >= 0) close(directory_);
}

void DirectoryLock::lock_directory(const fs::path& data_dir) {
    directory_ = open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_ < 0) throw failed(data_dir, "open", errno);
    if (flock(directory_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) throw in_use(data_dir);
}

void DirectoryLock::lock_file(const fs::path& data_dir) {
    const auto path = data_dir / lock_name;
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file_ < 0) throw failed(path, "open", errno);
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) throw in_use(data_dir);
    const auto text = fmt::format("{}\n", getpid());
    if (ftruncate(file_, 0) != 0 || pwrite(file_, text.data(), text.size(), 0) < 0)
        throw failed(path, "write", errno);
}

fs::path make_data_directory(const fs::path& data_dir) {
    const auto path = fs::absolute(data_dir).lexically_normal();
    fs::create_directories(path.parent_path());
    const mode_t mode = geteuid() == 0 ? 0711 : 0700;
    if (mkdir(path.c_str(), mode) == 0) {
        if (chmod(path.c_str(), mode) != 0)
            throw failed(path, "set the mode of", errno);  // whatever the umask
    } else if (errno != EEXIST) {
        throw failed(path, "make the data directory", errno);
    } else if (geteuid() == 0 && fs::is_directory(path) && holds_our_data(path)) {
        fs::permissions(path, fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
    }
    return fs::canonical(path);
}

std::optional<UnixUser> choose_server_user(const fs::path& data_dir, const fs::path& cluster) {
    if (geteuid() != 0) return std::nullopt;
    struct stat existing{};
    auto user = stat(cluster.c_str(), &existing) == 0 && existing.st_uid != 0 ? UnixUser::of(existing.st_uid)
                                                                              : std::nullopt;
    if (!user) user = UnixUser::named("posthorn");
    if (!user) user = UnixUser::named("postgres");
    if (!user)
        throw std::runtime_error(
            "PostgreSQL does not run as root, and there is no user `posthorn` or `postgres` to run it as. "
            "Make one "
            "(useradd --system posthorn), or start posthorn as another user");
    if (const auto closed = first_closed_directory(data_dir, *user))
        throw std::runtime_error(
            fmt::format("the data directory {} cannot be reached by user {}, who runs PostgreSQL for root: "
                        "{} is closed to that user. "
                        "Set POSTHORN_DATA_DIR to a directory elsewhere (e.g. /var/lib/posthorn), or open "
                        "that one (chmod o+x)",
                        data_dir.string(), user->name, closed->string()));
    return user;
}

void make_private_directory(const fs::path& path, const std::optional<UnixUser>& owner) {
    const uid_t uid = owner ? owner->uid : geteuid();
    if (mkdir(path.c_str(), 0700) == 0) {
        if (owner && chown(path.c_str(), owner->uid, owner->gid) != 0) throw failed(path, "give away", errno);
        return;
    }
    if (errno != EEXIST) throw failed(path, "make the directory", errno);
    struct stat found{};
    if (lstat(path.c_str(), &found) != 0) throw failed(path, "examine", errno);
    if (!S_ISDIR(found.st_mode) || found.st_uid != uid || (found.st_mode & 077) != 0)
        throw std::runtime_error(
            fmt::format("{} must be a directory of mode 0700 that belongs to {}, for PostgreSQL; it is not, "
                        "so it is not used",
                        path.string(), owner ? owner->name : "the user who starts posthorn"));
}

fs::path socket_directory_for(const fs::path& data_dir) {
    auto usual = data_dir / "run";
    const bool fits = usual.string().size() + socket_name.size() <= socket_path_limit_bytes;
    // libpq takes a comma in `host` for a list, and so does the server.
    if (fits && usual.string().find_first_of(",\"") == std::string::npos) return usual;
    const auto parent = access("/run", W_OK) == 0 ? "/run" : "/tmp";
    return fmt::format("{}/posthorn-{}-{:016x}", parent, geteuid(), fnv1a(data_dir.string()));
}

void sync_directory(const fs::path& path) {
    const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        throw std::system_error(errno, std::generic_category(), "cannot open " + path.string());
    const bool synced = fsync(directory) == 0;
    const int error = errno;
    close(directory);
    if (!synced) throw std::system_error(error, std::generic_category(), "cannot sync " + path.string());
}

void write_file(const fs::path& path, const std::string& text) {
    const auto temporary = fs::path(path).concat(".new");
    unlink(temporary.c_str());
    const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        throw std::system_error(errno, std::generic_category(), "cannot make " + temporary.string());
    const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                         fchmod(file, 0644) == 0;  // the server's user reads it, whatever our umask
    const int error = errno;
    close(file);
    if (!written)
        throw std::system_error(error, std::generic_category(), "cannot write " + temporary.string());
    fs::rename(temporary, path);
}

}  // namespace posthorn::store
