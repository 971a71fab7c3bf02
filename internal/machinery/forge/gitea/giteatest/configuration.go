package giteatest

// configuration is Gitea's app.ini: nothing that runs on its own, nothing that looks outside, and webhooks to this
// machine. Tests are run as root too.
const configuration = `
APP_NAME = a test
RUN_USER = {user}
RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {dir}

[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
APP_DATA_PATH = {dir}/data
START_SSH_SERVER = false
SSH_ROOT_PATH = {dir}/ssh
SSH_CREATE_AUTHORIZED_KEYS_FILE = false
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {dir}/data/gitea.db
SQLITE_JOURNAL_MODE = WAL

[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
INTERNAL_TOKEN = {token}
ALLOWED_HOST_LIST = loopback

[service]
DISABLE_REGISTRATION = true

[oauth2]
ENABLED = false

[log]
MODE = console
LEVEL = Warn

[mailer]
ENABLED = false

[actions]
ENABLED = false

[indexer]
ISSUE_INDEXER_TYPE = db

[cron]
ENABLED = false

[session]
PROVIDER = memory
`
