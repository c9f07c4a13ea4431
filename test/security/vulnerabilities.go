package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// checkVulnerabilities runs govulncheck where its database can be reached. Where it can't, that is said and no failure: a
// machine without a way out can't know, and one with a way out does.
func checkVulnerabilities(ctx context.Context, opts options) error {
	if err := reach(ctx, opts.vulnerabilities+"/index/modules.json"); err != nil {
		progress("not run: the database can't be reached from here (%v)", err)
		return nil
	}
	return command(ctx, slices.Concat(opts.govulncheck, []string{"-db", opts.vulnerabilities, "./..."}))
}

// reach tells why an address doesn't answer as it should, if it doesn't.
func reach(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
