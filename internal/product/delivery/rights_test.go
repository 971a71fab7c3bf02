package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// policyDocument gives a deploy policy.
func policyDocument(name, rego string) string {
	return fmt.Sprintf("apiVersion: roadbed.dev/v1\nkind: Policy\nmetadata: {name: %s}\nspec:\n  point: deploy\n  rego: |\n    package roadbed.deploy\n    %s\n", name, strings.ReplaceAll(rego, "\n", "\n    "))
}

func named(name string) ref.Entity {
	return ref.Entity{Kind: "application", Namespace: "default", Name: name}
}

func TestTwoApplicationsCantHaveTheSameObject(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.repository("default", "team/copy")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.push("team/copy", map[string]string{"deploy/b.yaml": settings("b", "blue"), "deploy/a.yaml": settings("a", "blue")})
		b.apply("default", application("shop", "team/shop", automated))
		b.apply("default", application("copy", "team/copy", automated))
		st := b.status(named("copy"))
		if !strings.Contains(st.Message, "deploy/a.yaml:3:12: metadata.name: core/ConfigMap/shop/a belongs to application:default/shop (rename it, or remove it there first)") {
			t.Errorf("message = %q", st.Message)
		}
		if b.colour("a") != "red" || b.colour("b") != "" || b.states(named("copy")) != "failed" {
			t.Errorf("a is %q, b is %q after %s", b.colour("a"), b.colour("b"), b.states(named("copy")))
		}
		b.push("team/copy", map[string]string{"deploy/a.yaml": ""})
		if b.colour("b") != "blue" || b.states(named("copy")) != "failed succeeded" {
			t.Errorf("b is %q after %s", b.colour("b"), b.states(named("copy")))
		}
	})
}

func TestAnApplicationStaysWithinItsSpace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("payments", "payments/pay")
		b.repository("lab", "lab/try")
		b.commit("peter", "payments/pay", map[string]string{"deploy/a.yaml": settings("a", "theirs")})
		b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "ours")})
		b.stack("pay-infra", "payments", "stt_1", map[string]string{"password!": "hunter2"})
		in := func(name, repository, more string) string { return application(name, repository, automated) + more }

		// A repository of another space is neither deployed nor shown.
		b.apply("lab", in("one", "payments/pay", ""))
		if st := b.status(named("one")); !strings.Contains(st.Message, "may not use repository payments/pay, which is in another space") || st.Synced != "" {
			t.Errorf("message = %q", st.Message)
		}
		_, err := b.Diff(accesstest.As("carol"), named("one"))
		errorWith(t, err, fault.Denied, "may not use repository payments/pay")
		_, err = b.Sync(accesstest.As("carol"), named("one"))
		errorWith(t, err, fault.Denied, "may not use repository payments/pay")

		// Neither is a stack.
		text := strings.Replace(in("two", "lab/try", ""), "annotations: {", `annotations: {roadbed.dev/stack: "stack:default/pay-infra", `, 1)
		b.apply("lab", text)
		if st := b.status(named("two")); !strings.Contains(st.Message, "may not use stack:default/pay-infra") {
			t.Errorf("message = %q", st.Message)
		}
		_, err = b.Diff(accesstest.As("carol"), named("two"))
		errorWith(t, err, fault.Denied, "may not use stack:default/pay-infra")

		// Nor a namespace that another space uses, nor its images.
		b.apply("payments", in("pay", "payments/pay", ""))
		if b.colour("a") != "theirs" {
			t.Fatalf("a is %q: %s", b.colour("a"), b.status(named("pay")).Message)
		}
		b.apply("lab", in("three", "lab/try", ""))
		if st := b.status(named("three")); !strings.Contains(st.Message, "namespace shop of cluster local is used by another space") || strings.Contains(st.Message, "payments") {
			t.Errorf("message = %q", st.Message)
		}
		b.apply("lab", strings.Replace(in("three", "lab/try", ""), ", namespace: shop", "", 1))
		o, err := b.node.Get(t.Context(), cluster.Key{Kind: "ConfigMap", Namespace: "lab", Name: "a"})
		if err != nil || o.Text("data", "colour") != "ours" {
			t.Errorf("in the space's own namespace: %v, %v", o.Raw, err)
		}
		for _, image := range []string{"registry.local/payments/pay:1", "registry.local/payments/pay/deep@sha256:1", "Registry.Local/payments/pay"} {
			b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": strings.Replace(broken, "nowhere.test/web:1", image, 1)})
			b.drain()
			if st := b.status(named("three")); !strings.Contains(st.Message, "deploy/a.yaml:9:37: spec.template.spec.containers[0].image: ") {
				t.Errorf("%s: message = %q", image, st.Message)
			}
		}

		// When the others have left, the namespace is free.
		b.forget(named("pay"))
		b.drain()
		b.commit("carol", "lab/try", map[string]string{"deploy/a.yaml": settings("a", "ours")})
		b.apply("lab", in("three", "lab/try", ""))
		if b.colour("a") != "ours" {
			t.Errorf("a is %q: %s", b.colour("a"), b.status(named("three")).Message)
		}
	})
}

func TestTheSpacesAboveMayUseANamespaceThoseBelowNot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for _, space := range []string{"default", "lab"} {
			b.repository(space, space+"/app")
		}
		b.commit("alice", "default/app", map[string]string{"deploy/a.yaml": settings("a", "above")})
		b.commit("carol", "lab/app", map[string]string{"deploy/b.yaml": settings("b", "below")})
		b.apply("lab", application("below", "lab/app", automated))
		b.apply("default", application("above", "default/app", automated))
		if b.colour("a") != "above" || b.colour("b") != "below" {
			t.Errorf("a is %q, b is %q", b.colour("a"), b.colour("b"))
		}
		away := func(text string) string { return strings.Replace(text, "namespace: shop", "namespace: core", 1) }
		b.apply("default", away(application("above", "default/app", automated)))
		b.apply("lab", away(application("below", "lab/app", automated)))
		if st := b.status(named("below")); !strings.Contains(st.Message, "namespace core of cluster local is used by another space") {
			t.Errorf("message = %q", st.Message)
		}
	})
}

func TestManifestsOfAnotherNamespaceAreRefused(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.repository("default", "team/shop")
	b.push("team/shop", map[string]string{
		"deploy/a.yaml": settings("a", "red") + "---\n" + strings.Replace(settings("b", "red"), "{name: b}", "{name: b, namespace: elsewhere}", 1),
		"deploy/n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n",
	})
	b.apply("default", application("shop", "team/shop", automated))
	st := b.status(shop)
	for _, want := range []string{`deploy/a.yaml:8:21: metadata.namespace: "elsewhere" is not the namespace of this application (remove it, or write shop`, `deploy/n.yaml:3:12: metadata.name: "other" is not`} {
		if !strings.Contains(st.Message, want) {
			t.Errorf("message = %q; want %q", st.Message, want)
		}
	}
	if b.colour("a") != "" {
		t.Error("something of it was applied")
	}
	head := b.push("team/shop", map[string]string{"deploy/a.yaml": strings.Replace(settings("a", "red"), "{name: a}", "{name: a, namespace: shop}", 1), "deploy/b.yaml": strings.Replace(settings("b", "blue"), "{name: b}", `{name: b, namespace: ""}`, 1), "deploy/n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"})
	b.want(shop, "Synced", "Healthy", head, "")
	if b.colour("b") != "blue" {
		t.Error("an object whose namespace is empty went elsewhere")
	}
}

// A namespace that has the name of a space is that one's, also before an application of it is there.
func TestNobodyTakesTheNamespaceThatASpaceIsNamedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for space, who := range map[string]string{"default": "alice", "lab": "carol"} {
			b.repository(space, space+"/app")
			b.commit(who, space+"/app", map[string]string{"deploy/a.yaml": settings("a", space)})
		}
		to := func(space, namespace string) string {
			b.apply(space, strings.Replace(application("of-"+space, space+"/app", automated), "namespace: shop", "namespace: "+namespace, 1))
			o, err := b.node.Get(t.Context(), cluster.Key{Kind: "ConfigMap", Namespace: namespace, Name: "a"})
			if err != nil && !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			return o.Text("data", "colour")
		}
		for _, namespace := range []string{"payments", "default"} {
			if got := to("lab", namespace); got != "" || !strings.Contains(b.status(named("of-lab")).Message, "is used by another space") {
				t.Errorf("in namespace %s a is %q: %s", namespace, got, b.status(named("of-lab")).Message)
			}
		}
		if got := to("default", "payments"); got != "default" {
			t.Errorf("for the space above a is %q: %s", got, b.status(named("of-default")).Message)
		}
	})
}

func TestDeployPoliciesForbidAndWarn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.apply("default", policyDocument("no-pink", "deny contains sprintf(\"%s is pink\", [o.metadata.name]) if {\n  some o in input.objects\n  o.data.colour == \"pink\"\n}\nwarn contains \"mind the paint\""))
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "pink")})
		b.apply("default", application("shop", "team/shop", automated))
		b.want(shop, "OutOfSync", "Missing", "", "policy forbids this deployment: a is pink")
		b.apply("default", application("shop", "team/shop", automated)) // a look
		if got := b.states(shop); got != "failed" {
			t.Errorf("runs are %s", got)
		}
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.want(shop, "Synced", "Healthy", head, "")
		if !strings.Contains(b.logs.String(), "warning: mind the paint") || !strings.Contains(b.logs.String(), "asked: policy:default/no-pink") {
			t.Errorf("logs = %s", b.logs.String())
		}
		b.apply("default", policyDocument("approvals", `approve if input.destination.namespace == "elsewhere"`))
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		b.want(shop, "OutOfSync", "Healthy", head, "policy:default/approvals does not approve it")
	})
}

func TestListsHoldWhatTheReaderMaySeeByPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		for i, space := range []string{"default", "lab", "payments", "lab", "payments", "lab", "default"} {
			if err := b.try(space, application(fmt.Sprintf("app%d", i), "team/shop")); err != nil {
				t.Fatal(err)
			}
		}
		b.forget(named("app3"))
		for who, want := range map[string]string{"rita": "app0 app1 app2 app4 app5 app6", "carol": "app1 app5", "peter": "app2 app4", "adam": "app0 app1 app2 app4 app5 app6"} {
			for _, size := range []int{1, 2, 5, 200} {
				var got []string
				for part := (page.Request{Limit: size}); ; {
					list, err := b.List(accesstest.As(who), part)
					if err != nil {
						t.Fatal(err)
					}
					if len(list.Items) > size || len(list.Items) == 0 {
						t.Errorf("a page of %d holds %d", size, len(list.Items))
					}
					for _, st := range list.Items {
						got = append(got, st.Ref.Name)
					}
					if part.Cursor = list.Next; list.Next == "" {
						break
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%s sees %v by %d; want %s", who, got, size, want)
				}
			}
		}
		if list, err := b.List(accesstest.As("stranger"), page.Request{}); err != nil || len(list.Items) != 0 {
			t.Errorf("a stranger sees %v, %v", list, err)
		}
		_, err := b.History(accesstest.As("carol"), named("app0"), 10)
		errorWith(t, err, fault.NotFound, "app0")
		_, err = b.Watch(accesstest.As("carol"), named("app0"))
		errorWith(t, err, fault.NotFound, "app0")
		_, err = b.Logs(accesstest.As("carol"), named("app0"), "", cluster.LogOptions{})
		errorWith(t, err, fault.NotFound, "app0")
	})
}
