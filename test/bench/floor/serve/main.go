// Command serve is the floor as a process of its own, so that its CPU time can be told from everything else's. The
// bench starts it, with the product's environment. It prints its address and serves until it is killed.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/test/bench/floor"
)

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	size, err := strconv.Atoi(os.Getenv("DB_POOL_SIZE"))
	if err != nil {
		return fmt.Errorf("DB_POOL_SIZE: %w", err)
	}
	pool, err := floor.OpenPool(ctx, os.Getenv("DATABASE_URL"), size)
	if err != nil {
		return err
	}
	defer pool.Close()
	// FLOOR_ISSUER is the only variable that the product doesn't have: there the name is a constant.
	issuer, err := auth.OpenDevIssuer(os.Getenv("DATA_DIR"), os.Getenv("FLOOR_ISSUER"), clock.System{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	verifier := auth.NewVerifier([]*auth.Provider{issuer.Provider()}, clock.System{})
	return http.Serve(listener, floor.New(pool, verifier, page.NewCursors(keyring.New(os.Getenv("SECRET_KEY"), ""))))
}
