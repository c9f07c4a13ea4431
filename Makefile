# The commands of the project. `make` alone lists them.

# SQLite here is pure Go. With cgo on, the C one would be compiled too and linked in for nothing.
export CGO_ENABLED = 0

# Tools run by pinned version, outside of go.mod, so that they never raise the product's own dependencies.
LINT  = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
WATCH = go run github.com/air-verse/air@v1.67.4
VULN  = go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

SPECTRAL = npx --yes @stoplight/spectral-cli@6.16.3

# Starts one PostgreSQL and one Redis for the command behind it, and installs them where it can when there are none.
SERVERS = go run ./platform/testkit/servers --

.DEFAULT_GOAL := help
.PHONY: help build run dev worker token shell seed migrate migration module event consumer job remove rename up down test test-quick race chaos bench bench-events bench-limits bench-ai bench-files profile fuzz fuzz-targets security lint lint-api verify generate

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

build: ## Build the binary, bin/omnistack, without gin's MessagePack, which weighs nine megabytes
	@go build -trimpath -tags nomsgpack -o bin/omnistack ./cmd/omnistack

run: build ## Start everything, with nothing but Go: API and background work, on an embedded database
	bin/omnistack serve

dev: ## The same, started again whenever a file changes
	$(WATCH) -build.cmd "go build -o bin/omnistack ./cmd/omnistack" -build.entrypoint "bin/omnistack,serve" -build.include_ext "go,sql,html,js" -build.include_file ".env" -build.exclude_dir "bin,data" -build.send_interrupt true -build.kill_delay 5s -tmp_dir bin

worker: build ## Start a process for background work only: PORT=8001 make worker
	bin/omnistack worker

token: build ## Print a token to develop with: make token sub=alice role=admin
	@bin/omnistack token --sub $(or $(sub),dev) $(if $(role),--role $(role))

shell: build ## Open a shell with API and TOKEN set, to try requests: make shell sub=alice
	@API=http://localhost:$(or $(PORT),8000)/api/v1 TOKEN=$$(bin/omnistack token --sub $(or $(sub),dev)) $${SHELL:-sh}

seed: build ## Fill the database with examples
	bin/omnistack seed

migrate: build ## Bring the database's schema up to date
	bin/omnistack migrate up

migration: ## Write the next migration of both databases from the models: make migration name=add_colour
	go run ./cmd/scaffold migrate diff $(or $(name),$(error say what changes: make migration name=add_colour))

module: ## Write a new module: make module name=invoices entity=Invoice fields="number:string amount:int due_at:time?"
	go run ./cmd/scaffold module $(name) --entity "$(entity)" --fields "$(fields)" $(if $(thin),--thin) $(if $(dry),--dry-run)

event: ## Write an event of a module: make event module=invoices name=invoice_sent fields="invoice_id:string"
	go run ./cmd/scaffold event $(name) --module "$(module)" --fields "$(fields)" --says "$(says)"

consumer: ## Write what a module does when something happened: make consumer module=projects name=tidy event=users.user_suspended.v1 do='…'
	go run ./cmd/scaffold consumer $(name) --module "$(module)" --event "$(event)" --do '$(do)' --says "$(says)"

job: ## Write a kind of background work: make job module=invoices name=remind cron="0 8 * * 1" do='…'
	go run ./cmd/scaffold job $(name) --module "$(module)" --fields "$(fields)" --cron "$(cron)" --do '$(do)' --says "$(says)"

remove: ## Take a module out of the product, but for its contract: make remove module=projects
	go run ./cmd/scaffold remove $(module)

rename: ## Make the clone your own: make rename module=github.com/acme/app name=Acme
	go run ./cmd/scaffold rename --module "$(module)" --name "$(name)" $(if $(binary),--binary $(binary))

up: ## Start PostgreSQL and Redis in Docker
	docker compose up -d --wait db redis

down: ## Stop what `make up` started
	docker compose down

# The fuzz runs are counted: one that ends by the clock now and then fails with "context deadline exceeded".
test: ## Prove everything, on real servers that it brings itself
	$(SERVERS) go test -shuffle=on -timeout 20m ./...
	@$(MAKE) --no-print-directory fuzz-targets time=1000x

test-quick: ## Prove what needs no servers
	go test -short ./...

# What is built without the detector isn't watched by it, and left out.
race: export CGO_ENABLED = 1
race: ## Prove everything under the race detector, or some of it: make race packages=./platform/...; needs a C compiler
	$(SERVERS) go test -race -shuffle=on -timeout 20m $$(go list $(or $(packages),./...) | grep -vE '/test/(bench|readme|scaffold)$$')

# It waits more than it works, so its scenarios run side by side however few the cores are.
chaos: export CHAOS = whole
chaos: ## Kill processes and servers in the worst moments, for ten minutes, and count what is lost or done twice
	$(SERVERS) go test -count=1 -v -parallel 8 -timeout 60m ./test/chaos
	$(SERVERS) go test -count=1 -v -run TestTheNetworkMayBeBad ./test/crash

bench: build bench-events bench-limits bench-ai bench-files ## Measure the hot endpoints against a floor, as ratios: make bench args="-endpoints get -rounds 3"
	go run ./test/bench -product bin/omnistack $(args)

bench-events: ## Measure how events travel, from the commit to what they cause, and what publishing and enqueueing cost
	$(SERVERS) go test -run '^$$' -bench 'Delivery|RedisRoad$$' -benchtime 2000x ./platform/bus
	$(SERVERS) go test -run '^$$' -bench Enqueue ./platform/jobs ./modules/projects/internal/adapters/store

bench-limits: ## Measure the decision of the rate limiter, and the check of a token that wasn't seen before
	$(SERVERS) go test -run '^$$' -bench Take ./platform/ratelimit
	go test -run '^$$' -bench VerifyRS256 ./platform/auth

bench-ai: build ## Measure what a call of a model costs through the product, beside the call itself and a plain langchaingo
	go test -run '^$$' -bench . ./modules/ai/internal/adapters/langchain
	go run ./test/bench -ai -product bin/omnistack -rounds 3 $(args)

bench-files: ## Measure files of 100 MB in a folder beside plain copies, in a bucket beside the bare library, and what a signed URL costs
	go test -run '^$$' -bench 'Local$$|S3$$' -benchtime 5x -count 3 ./platform/blob
	go test -run '^$$' -bench Presign ./platform/blob

profile: ## Write profiles of the product under the same load to bin/profile, and print their top ten
	go run ./test/bench -profile bin/profile $(args)

fuzz: ## Run every fuzz target for a while, and the API's fuzzer for as many requests: make fuzz time=5m requests=1000000
	FUZZ_REQUESTS=$(or $(requests),100000) $(SERVERS) go test -count=1 -timeout 0 -run TestTheAPIKeepsToItsDocument ./test/contract
	@$(MAKE) --no-print-directory fuzz-targets time=$(or $(time),30s)

fuzz-targets:
	@for folder in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z]+' $$folder/*_test.go | cut -c6-); do \
	    echo "== $$target in $$folder"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(time) $$folder || exit 1; \
	  done; \
	done

security: ## Prove the security checklist line by line, and look for known weaknesses in code and dependencies
	$(SERVERS) go run ./test/security -lint "$(LINT)" -govulncheck "$(VULN)"

lint: ## Run the linters
	$(LINT) run

lint-api: export API_DOCUMENT = $(CURDIR)/bin/openapi.json
lint-api: ## Check the style of the API document; needs Node.js
	@mkdir -p bin
	@go test -count=1 -run TestTheAPIDocument ./test/contract
	@command -v npx >/dev/null || { echo "npx is missing: install Node.js, in Debian by apt-get install npm"; exit 1; }
	@$(SPECTRAL) lint --fail-severity=warn --ruleset test/contract/testdata/spectral.yaml $(API_DOCUMENT)

generate: ## Write every generated file anew
	go run ./cmd/scaffold wiring
	go tool wire ./wire_gen
	go run ./cmd/scaffold canvas

verify: lint lint-api ## Check that generated files are fresh, modules tidy and the code clean
	go run ./cmd/scaffold wiring --check
	go tool wire diff ./wire_gen
	go run ./cmd/scaffold canvas --check
	go mod tidy -diff
	go mod verify
	go run ./cmd/omnistack migrate validate
