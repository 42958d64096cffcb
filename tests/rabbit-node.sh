#!/bin/sh
# Runs one private RabbitMQ node that shares nothing with the machine's own: node name, ports, cookie and every file
# are its own, and it listens on 127.0.0.1 only. The fixtures of Quickq.Testing and packaging/demo.sh start nodes with it.
#
#   rabbit-node.sh epmd FOLDER      becomes the node's own port mapper (start it first; it must outlive the node)
#   rabbit-node.sh run FOLDER       becomes the broker itself (the caller's child is the Erlang machine, so kill -9 means it)
#   rabbit-node.sh ctl FOLDER ARGS  becomes rabbitmqctl for that node
#
# FOLDER/node.env names the ports: NODE_NAME, NODE_AMQP_PORT, NODE_DIST_PORT, NODE_EPMD_PORT.
# NODE_UNRESTRICTED=yes lets the broker use the machine as it would by itself.
# FOLDER/extra.conf, if there is one, is added to the broker's configuration. Logs go to FOLDER/node.log.
set -eu

verb=$1
folder=$(cd "$2" && pwd)
shift 2
. "$folder/node.env"

scripts=/usr/lib/rabbitmq/bin
if [ ! -x "$scripts/rabbitmq-server" ]; then
  echo "rabbit-node: rabbitmq-server is not installed (apt-get install rabbitmq-server, or bash tests/run.sh)" >&2
  exit 69
fi

mkdir -p "$folder/home" "$folder/data" "$folder/log"
[ -f "$folder/enabled_plugins" ] || echo '[].' > "$folder/enabled_plugins"
if [ ! -f "$folder/home/.erlang.cookie" ]; then
  (umask 077; head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$folder/home/.erlang.cookie")
fi

export HOME="$folder/home"
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$NODE_EPMD_PORT"
export RABBITMQ_NODENAME="$NODE_NAME@localhost"
export RABBITMQ_CONF_ENV_FILE="$folder/none.env"
export RABBITMQ_MNESIA_BASE="$folder/data" RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_LOGS=-
export RABBITMQ_ENABLED_PLUGINS_FILE="$folder/enabled_plugins"
export RABBITMQ_SCHEMA_DIR="$folder/schema" RABBITMQ_GENERATED_CONFIG_DIR="$folder/schema"
export RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$folder/advanced.config"
export RABBITMQ_DIST_PORT="$NODE_DIST_PORT" RABBITMQ_PID_FILE="$folder/pid"
# One scheduler and no busy waiting: nodes on a small machine start faster and leave the processor to what is tested.
schedulers="+S 1:1 +SDcpu 1:1 +SDio 2 +A 2"
[ "${NODE_UNRESTRICTED:-}" != yes ] || schedulers=
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$schedulers -kernel inet_dist_use_interface {127,0,0,1}"
export RABBITMQ_CTL_ERL_ARGS="+S 1:1 +A 1 -kernel inet_dist_use_interface {127,0,0,1}"
# Without it the start script stays in front of the Erlang machine as a shell.
export RUNNING_UNDER_SYSTEMD=true

case $verb in
  epmd)
    exec epmd -address 127.0.0.1 -port "$NODE_EPMD_PORT" < /dev/null >> "$folder/epmd.log" 2>&1
    ;;
  run)
    {
      echo "listeners.tcp.1 = 127.0.0.1:$NODE_AMQP_PORT"
      echo "disk_free_limit.absolute = 1MB"
      echo "log.console.level = info"
      [ ! -f "$folder/extra.conf" ] || cat "$folder/extra.conf"
    } > "$folder/rabbitmq.conf"
    exec "$scripts/rabbitmq-server" < /dev/null >> "$folder/node.log" 2>&1
    ;;
  ctl)
    exec "$scripts/rabbitmqctl" --quiet --node "$RABBITMQ_NODENAME" "$@"
    ;;
  *)
    echo "rabbit-node: unknown verb '$verb' (epmd, run, ctl)" >&2
    exit 64
    ;;
esac
