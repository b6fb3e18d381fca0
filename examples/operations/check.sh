#!/usr/bin/env bash
# Checks the files of this folder with the tools that will read them. Changes and installs nothing.
#
# A tool that is missing is named, and what it checks is skipped; with HEAPLENS_TEST_TOOLS=require that is
# an error. Exit code 1 if any check fails.
set -euo pipefail
cd "$(dirname "$0")"
# nginx stands where only root looks.
PATH=$PATH:/usr/sbin

work=$(mktemp --directory)
trap 'rm --recursive --force "$work"' EXIT
failed=0

# Runs a check that needs tools: check NAME "TOOL ..." COMMAND ...
check() {
    local name=$1 tool
    for tool in $2; do
        if ! command -v "$tool" >/dev/null; then
            if [[ ${HEAPLENS_TEST_TOOLS:-} == require ]]; then
                echo "FAILED   $name: needs $tool"
                failed=1
            else
                echo "SKIPPED  $name: needs $tool"
            fi
            return
        fi
    done
    shift 2
    # In a shell of its own: in a condition, this one would pass over what fails on the way.
    if bash -euo pipefail -c '"$@"' "$name" "$@" >"$work/output" 2>&1; then
        echo "ok       $name"
    else
        echo "FAILED   $name:"
        sed 's/^/         /' "$work/output"
        failed=1
    fi
}

# Prometheus' own parser takes the dashboard's queries as recording rules.
dashboard_queries() {
    grafana/queries.sh >"$work/queries"
    [[ -s $work/queries ]]
    {
        echo 'groups: [{name: dashboard, rules: ['
        jq --raw-input '{record: ("query:" + (input_line_number | tostring)), expr: .}' "$work/queries" |
            sed 's/^}$/},/'
        echo ']}]'
    } >"$work/queries.yml"
    promtool check rules "$work/queries.yml"
}

# What Grafana expects of a dashboard, as far as it matters: without these it shows nothing, or the wrong thing.
dashboard_shape() {
    jq --exit-status '
        .schemaVersion >= 36 and (.uid | length) > 0 and (.title | length) > 0
        and ([.panels[].id] | length == (unique | length))
        and all(.panels[]; .gridPos.x + .gridPos.w <= 24)
        and all(.panels[] | select(.type != "row");
            (.targets | length) > 0 and .datasource.uid == "${datasource}" and (.description | length) > 0)
        and ([.templating.list[].name] == ["datasource", "job", "instance"])
    ' grafana/dashboard.json
}

# The site and the server in one, with ports and paths that need no privileges.
nginx_configuration() {
    sed 's/listen 80;/listen 8080;/' nginx/widget.conf >"$work/widget.conf"
    local own_folders="client_body_temp_path $work/body; proxy_temp_path $work/proxy; "
    own_folders+="fastcgi_temp_path $work/fcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;"
    sed "s|/etc/nginx/sites-enabled/\*|$work/widget.conf|
         s|/var/log/nginx/access.log|$work/access.log|
         s|^http {|http { $own_folders|" nginx/nginx.conf >"$work/nginx.conf"
    grep --quiet "$work/widget.conf" "$work/nginx.conf"
    nginx -t -p "$work" -c "$work/nginx.conf" -e "$work/error.log" -g "pid $work/nginx.pid;"
}

# The programs need not be installed here to know whether the unit is sound.
systemd_unit() {
    sed 's|/usr/local/bin/[a-z_]*|/bin/true|' 'systemd/heaplens-widget@.service' \
        >"$work/heaplens-widget@.service"
    systemd-analyze verify --man=no "$work/heaplens-widget@.service" 2>&1 | tee "$work/verdict"
    # It ends with 0 for an option that it does not know, and says so.
    ! grep --quiet 'heaplens-widget' "$work/verdict"
}

yaml_files() {
    python3 - kubernetes/deployment.yaml profiling/parca.yaml <<'PYTHON'
import sys, yaml
for name in sys.argv[1:]:
    try:
        documents = list(yaml.safe_load_all(open(name)))
    except yaml.YAMLError as error:
        sys.exit(f"{name}: {error}")
    assert documents and all(isinstance(one, dict) for one in documents), name
PYTHON
}

# Do the names agree that must? And the schema, where somebody has installed that (PyPI: kubernetes-validate).
kubernetes_manifest() {
    if command -v kubernetes-validate; then
        kubernetes-validate --strict kubernetes/deployment.yaml
    fi
    python3 - <<'PYTHON'
import yaml
deployment, service, policy = yaml.safe_load_all(open("kubernetes/deployment.yaml"))
pod = deployment["spec"]["template"]
labels, spec = pod["metadata"]["labels"], pod["spec"]
for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"],
                 policy["spec"]["podSelector"]["matchLabels"]):
    assert selector == labels, selector
(container,) = spec["containers"]
ports = {port["name"] for port in container["ports"]}
used = [service["spec"]["ports"][0]["targetPort"]]
used += [container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
used += [rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]]
assert set(used) <= ports, (used, ports)
mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
assert set(mounts) == {volume["name"] for volume in spec["volumes"]}, mounts
settings = {one["name"]: one["value"] for one in container["env"]}
assert settings["HEAPLENS_DIR"] == mounts["snapshots"]
assert settings["HEAPLENS_HTTP_TOKEN_FILE"].startswith(mounts["heaplens-token"] + "/")
assert settings["HEAPLENS_HTTP"].endswith(":%d" % container["ports"][1]["containerPort"])
assert container["securityContext"]["readOnlyRootFilesystem"] is True
PYTHON
}

export work
export -f dashboard_queries dashboard_shape nginx_configuration systemd_unit yaml_files kubernetes_manifest

check "alert rules" promtool promtool check rules prometheus/rules.yml
check "alerts on made-up services" promtool \
    promtool test rules prometheus/rules_test.yml prometheus/rules_days_test.yml
# Syntax alone: the token's file is on the machine that it is for.
check "Prometheus' configuration" promtool promtool check config --syntax-only prometheus/prometheus.yml
check "dashboard" jq dashboard_shape
check "dashboard's queries" "jq promtool" dashboard_queries
check "nginx' configuration" nginx nginx_configuration
check "systemd unit" systemd-analyze systemd_unit
check "YAML" python3 yaml_files
check "Kubernetes manifest" python3 kubernetes_manifest
exit "$failed"
