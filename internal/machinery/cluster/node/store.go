package node

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of the node.
func Migrations() store.Migrations {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return store.Migrations{Room: "node", FS: sub}
}

// object is one desired object as it was applied. What was applied is never changed, only replaced.
type object struct {
	manifest
	owner      string
	uid        string
	generation int64
	created    time.Time
	updated    time.Time
	restarted  time.Time // when a restart was last asked for; zero for never

	pods *corev1.PodTemplateSpec // of a Deployment, once it was asked for; see template
	hash string                  // of pods
}

// revision is one version of a Deployment's template: what Kubernetes keeps as a ReplicaSet.
type revision struct {
	deployment cluster.Key
	hash       string
	uid        string
	number     int64
	replicas   int // asked for
	template   *corev1.PodTemplateSpec
	created    time.Time
	dirty      bool // not yet in the database as it is here
}

func (r *revision) key() cluster.Key {
	return cluster.Key{Group: "apps", Kind: "ReplicaSet", Namespace: r.deployment.Namespace, Name: r.deployment.Name + "-" + r.hash}
}

// load reads what should run. An object that this version of the node can't read is left in the database and
// reported, so that one bad row does not stop all others.
func (n *Node) load(ctx context.Context) error {
	n.loading.Lock()
	defer n.loading.Unlock()
	if n.loaded {
		return nil
	}
	var objects []*object
	var revisions []*revision
	err := n.db.Read(ctx, func(tx *store.Tx) error {
		var err error
		if objects, err = n.readObjects(ctx, tx); err != nil {
			return err
		}
		revisions, err = n.readRevisions(ctx, tx)
		return err
	})
	if err != nil {
		return fault.Wrap(err, "read the node's objects")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range objects {
		n.objects[o.key] = o
	}
	for _, r := range revisions {
		if n.objects[r.deployment] != nil {
			n.revisions[r.deployment] = append(n.revisions[r.deployment], r)
		}
	}
	for _, all := range n.revisions {
		slices.SortFunc(all, func(a, b *revision) int { return cmp.Compare(a.number, b.number) })
	}
	n.loaded = true
	n.rerouteLocked()
	return nil
}

func (n *Node) readObjects(ctx context.Context, tx *store.Tx) ([]*object, error) {
	rows, err := tx.Query(ctx, `SELECT object_key, owner, uid, generation, manifest, sealed, created, updated, restarted FROM node_objects WHERE node = $1`, n.name)
	all, err := store.Collect(rows, err, func(r store.Row) (*object, error) {
		var key, text string
		var sealed bool
		o := &object{}
		if err := r.Scan(&key, &o.owner, &o.uid, &o.generation, &text, &sealed, &o.created, &o.updated, &o.restarted); err != nil {
			return nil, err
		}
		if sealed {
			opened, err := n.sealer.open(key, text)
			if err != nil {
				n.log.Error("an object can't be opened; apply it again", "object", key, "error", err)
				return nil, nil
			}
			text = opened
		}
		raw, err := cluster.ParseObject([]byte(text))
		if err == nil {
			var details []fault.Detail
			if o.manifest, details = decode(raw, bounds{replicas: math.MaxInt32}); len(details) > 0 {
				err = fault.At("the stored object is no longer accepted", details...)
			}
		}
		if err != nil {
			n.log.Error("an object can't be read; apply it again", "object", key, "error", err)
			return nil, nil
		}
		return o, nil
	})
	return slices.DeleteFunc(all, func(o *object) bool { return o == nil }), err
}

func (n *Node) readRevisions(ctx context.Context, tx *store.Tx) ([]*revision, error) {
	rows, err := tx.Query(ctx, `SELECT deployment, hash, uid, revision, replicas, template, created FROM node_revisions WHERE node = $1`, n.name)
	return store.Collect(rows, err, func(r store.Row) (*revision, error) {
		var key, template string
		v := &revision{template: &corev1.PodTemplateSpec{}}
		if err := r.Scan(&key, &v.hash, &v.uid, &v.number, &v.replicas, &template, &v.created); err != nil {
			return nil, err
		}
		var err error
		if v.deployment, err = cluster.ParseKey(key); err != nil {
			return nil, err
		}
		return v, json.Unmarshal([]byte(template), v.template)
	})
}

func (n *Node) saveObject(ctx context.Context, tx *store.Tx, o *object) error {
	text, sealed := string(o.json), o.object.IsSecret()
	if sealed {
		text = n.sealer.seal(o.key.String(), text)
	}
	_, err := tx.Exec(ctx, `INSERT INTO node_objects (node, object_key, owner, uid, generation, manifest, sealed, created, updated, restarted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (node, object_key) DO UPDATE SET owner = excluded.owner, uid = excluded.uid, generation = excluded.generation,
			manifest = excluded.manifest, sealed = excluded.sealed, created = excluded.created, updated = excluded.updated, restarted = excluded.restarted`,
		n.name, o.key.String(), o.owner, o.uid, o.generation, text, sealed, store.Micros(o.created), store.Micros(o.updated), store.Micros(o.restarted))
	return err
}

func (n *Node) removeObject(ctx context.Context, tx *store.Tx, key cluster.Key) error {
	if _, err := tx.Exec(ctx, `DELETE FROM node_objects WHERE node = $1 AND object_key = $2`, n.name, key.String()); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM node_revisions WHERE node = $1 AND deployment = $2`, n.name, key.String())
	return err
}

func (n *Node) saveRevision(ctx context.Context, tx *store.Tx, r *revision) error {
	template, err := json.Marshal(r.template)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO node_revisions (node, deployment, hash, uid, revision, replicas, template, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (node, deployment, hash) DO UPDATE SET uid = excluded.uid, revision = excluded.revision, replicas = excluded.replicas`,
		n.name, r.deployment.String(), r.hash, r.uid, r.number, r.replicas, string(template), store.Micros(r.created))
	return err
}

func (n *Node) removeRevision(ctx context.Context, tx *store.Tx, r *revision) error {
	_, err := tx.Exec(ctx, `DELETE FROM node_revisions WHERE node = $1 AND deployment = $2 AND hash = $3`, n.name, r.deployment.String(), r.hash)
	return err
}

// deployment gives the Deployment that an object is, or nil.
func (o *object) deployment() *appsv1.Deployment {
	d, _ := o.typed.(*appsv1.Deployment)
	return d
}
