# SPDX-License-Identifier: GPL-3.0-or-later
# A thin cover over ansible-playbook: each verb prints and runs one line. GNU make 3.81 is enough.
.DEFAULT_GOAL := help
.PHONY: help new create render status logs diagnose snapshot forward dashboard tx transact stop start reset recover destroy destroy-cluster mirror test \
	test-long test-ha lint unit bench collection venv ready

quote = '$(subst ','\'',$(1))'
# Values in which blanks and quotes may stand travel as JSON; $(value …) keeps make from expanding dollars in them.
text = -e $(call quote,{"$(1)": "$(subst ",\",$(subst \,\\,$(value $(2))))"})
plain = -e $(call quote,$(1)=$($(2)))

# Some systems export NAME as the machine's own, so it names a network for new alone; so does OUT a folder for render.
playbook = .venv/bin/ansible-playbook playbooks/$(subst -,_,$@).yml$(options)
options = $(if $(INVENTORY), -i $(call quote,$(INVENTORY)))$(if $(NETWORK), -e $(call quote,@$(NETWORK)))$(if \
	$(PROVIDER), $(call plain,mintnet_provider,PROVIDER))$(if $(CONFIRM), $(call plain,mintnet_confirm,CONFIRM))$(if \
	$(and $(NAME),$(filter new,$@)), $(call plain,cometbft_network,NAME))$(if \
	$(and $(OUT),$(filter render,$@)), $(call text,cometbft_render_path,OUT))$(if $(NODE), $(call plain,cometbft_node,NODE))$(if $(CONTAINER), $(call plain,cometbft_container,CONTAINER))$(if \
	$(WATCH), $(call plain,cometbft_watch,WATCH))$(if $(QUERY), $(call text,cometbft_query,QUERY))$(if \
	$(TX), $(call text,$(if $(filter transact,$@),cometbft_transact_tx,cometbft_tx),TX))$(if $(ARGS), $(ARGS))

new: ready  ## a network file for your own application  NAME=myapp
	$(playbook)
create: ready  ## from nothing, machines or a cluster to a network that makes blocks
	$(playbook)
render: ready  ## what create would apply, as files            OUT=manifests or OUT=app.yaml
	$(playbook)
status: ready  ## one table and a verdict                      QUERY='nodes[].height' or WATCH=yes
	$(playbook)
logs: ready  ## a node's log                                 NODE=tm-0 CONTAINER=tm WATCH=yes
	$(playbook)
diagnose: ready  ## one archive for a bug report               ARGS='-e mintnet_diagnose_path=/tmp'
	$(playbook)
snapshot: ready  ## of the etcd of a cluster that we made         ARGS='-e mintnet_snapshot_path=/srv'
	$(playbook)
forward: ready  ## a node's RPC on localhost                    NODE=tm-0
	$(playbook)
dashboard: ready  ## the cluster's web UI on localhost            ARGS='-e mintnet_dashboard_port=8001'
	$(playbook)
tx: ready  ## send a transaction and wait for its block    TX='k=v' NODE=tm-0
	$(playbook)
transact: ready  ## send many transactions, and find their blocks  TX='k{n}=v{n}-{run}' NODE=tm-0
	$(playbook)
stop: ready  ## stop the network or a node, its data stays   NODE=tm-3 CONFIRM=yes
	$(playbook)
start: ready  ## start what is stopped, or a node alone       NODE=tm-3
	$(playbook)
reset: ready  ## same cluster, new chain                      CONFIRM=yes
	$(playbook)
recover: ready  ## bring a validator back whose volume is lost  NODE=tm-3 CONFIRM=yes
	$(playbook)
destroy: ready  ## remove the network with its volumes          CONFIRM=yes
	$(playbook)
destroy-cluster: ready  ## remove the cluster that create made          CONFIRM=yes
	$(playbook)
mirror: ready  ## list, or put into a folder, what a cluster needs  ARGS='-e mintnet_mirror_dir=/srv/mirror'
	$(playbook)

test:  ## the tests, on a cluster of their own         ARGS='--only lint'
	@"$$(scripts/python)" tests/run.py $(ARGS)
test-long:  ## what takes longer: Molecule, every end-to-end test
	@"$$(scripts/python)" tests/run.py --only molecule --only long $(ARGS)
test-ha:  ## clusters of several machines, which are lost
	@"$$(scripts/python)" tests/run.py --only ha $(ARGS)
lint:  ## linters, types, documentation
	@"$$(scripts/python)" tests/run.py --only lint $(ARGS)
unit:  ## unit tests on each ansible-core at hand
	@"$$(scripts/python)" tests/run.py --only unit $(ARGS)
bench:  ## our times beside those of shell and kubectl
	@"$$(scripts/python)" tests/run.py --only bench $(ARGS)
collection: venv  ## the collection as a tarball
	.venv/bin/ansible-galaxy collection build --force

help:
	@echo "make VERB, with NETWORK=file.yml PROVIDER=name INVENTORY=dir ARGS='-e name=value -v' for each of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

venv:
	@scripts/venv .venv requirements.txt
ready: venv
	$(if $(NETWORK)$(INVENTORY),@.venv/bin/python scripts/inputs.py $(call quote,$(NETWORK)) $(call quote,$(INVENTORY)))
